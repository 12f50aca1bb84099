/** Grid says how tiles of one size fill a space. */
export interface Grid {
  columns: number;
  width: number;
  height: number;
}

export const gap = 8;
const ratio = 16 / 9;

/** fit returns the arrangement with the largest 16:9 tiles that shows all of them without scrolling. */
export function fit(count: number, width: number, height: number): Grid {
  let best: Grid = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const widest = (width - gap * (columns - 1)) / columns;
    const highest = (height - gap * (rows - 1)) / rows;
    const tile = Math.floor(Math.max(0, Math.min(widest, highest * ratio)));
    if (tile > best.width) best = { columns, width: tile, height: Math.floor(tile / ratio) };
  }
  return best;
}

/** small tells whether a space is that of a phone, where the own picture goes into a corner. */
export function small(width: number, height: number): boolean {
  return Math.min(width, height) < 480;
}
