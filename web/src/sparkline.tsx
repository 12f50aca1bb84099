/** Sparkline draws the last readings of one figure; `max` is the top of its scale. */
export function Sparkline({ values, max, label }: { values: number[]; max: number; label: string }) {
  const width = 240;
  const height = 44;
  const slots = 60;
  const step = width / (slots - 1);
  const points = values.slice(-slots).map((v, i, all) => {
    const x = width - (all.length - 1 - i) * step;
    const y = height - 2 - (Math.min(v, max) / max) * (height - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg class="sparkline" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label} preserveAspectRatio="none">
      {points.length > 1 && <polyline points={points.join(' ')} />}
    </svg>
  );
}
