import { useEffect, useRef } from 'preact/hooks';

/** KeyActions is what the keys of a player do. */
export interface KeyActions {
  toggle(): void;
  mute(): void;
  fullScreen(): void;
  skip(seconds: number): void;
  louder(by: number): void;
}

const skipSeconds = 5;
const volumeStep = 0.1;

/** useKeys lets the usual keys work wherever the focus is, except where it is on something that takes them itself. */
export function useKeys(actions: KeyActions): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
      const target = e.target instanceof Element ? e.target : undefined;
      if (target?.closest('input, textarea, select, [contenteditable]')) return;
      if (e.key === ' ' && target?.closest('button, a')) return;
      const act = latest.current;
      const does: Record<string, () => void> = {
        ' ': () => act.toggle(),
        k: () => act.toggle(),
        m: () => act.mute(),
        f: () => act.fullScreen(),
        ArrowLeft: () => act.skip(-skipSeconds),
        ArrowRight: () => act.skip(skipSeconds),
        ArrowUp: () => act.louder(volumeStep),
        ArrowDown: () => act.louder(-volumeStep),
      };
      const found = does[e.key.length === 1 ? e.key.toLowerCase() : e.key];
      if (!found) return;
      e.preventDefault(); // or the page would scroll
      if (!e.repeat || e.key.startsWith('Arrow')) found();
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, []);
}
