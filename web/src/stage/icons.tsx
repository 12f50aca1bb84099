/** Shapes on a grid of 24, drawn as lines. */
const shapes = {
  microphone: 'M12 4a3 3 0 0 1 3 3v4a3 3 0 0 1-6 0V7a3 3 0 0 1 3-3ZM6 11a6 6 0 0 0 12 0M12 17v3',
  camera: 'M5 7h8a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2ZM15 11l6-3v8l-6-3',
  screen: 'M4 5h16v11H4ZM9 20h6M12 13V8.500M9.500 10.500 12 8l2.500 2.500',
  figures: 'M5 19v-6M10 19V9M15 19v-8M20 19V5',
  leave: 'M10 5H6a1 1 0 0 0-1 1v12a1 1 0 0 0 1 1h4M14 8l4 4-4 4M9 12h9',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  close: 'M6 6l12 12M18 6 6 18',
  sound: 'M5 10v4h3l4 4V6L8 10ZM15.500 9a4 4 0 0 1 0 6M18 6.500a8 8 0 0 1 0 11',
} as const;

export type IconName = keyof typeof shapes;

/** Icon is decoration: whoever uses it says in words what it means. */
export function Icon({ name, off }: { name: IconName; off?: boolean }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={shapes[name]} />
      {off && <path d="M4 4l16 16" />}
    </svg>
  );
}
