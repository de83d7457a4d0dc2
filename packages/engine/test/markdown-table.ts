/** A table in Markdown, its columns as wide as what is in them. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows]
  const widths = header.map((_, column) => Math.max(3, ...cells.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |\n`
  return [line(header), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('')
}
