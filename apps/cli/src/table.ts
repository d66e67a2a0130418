import { printable } from '@clerk-mirror/runtime'

/** Aligned columns, a row a line; the last one runs on as long as it likes. */
export function table(head: readonly string[], unsafe: readonly (readonly string[])[]): string[] {
  // As they will be shown, or a cell that holds control characters would push the others out of line.
  const rows = unsafe.map((cells) => cells.map((cell) => printable(cell)))
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd()
  return [line(head), ...rows.map(line)]
}
