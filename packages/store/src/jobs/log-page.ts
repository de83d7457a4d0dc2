import { bytesOf } from '../storage/byte-quota.ts'

/** A row of a log: the number of its last entry, and its entries as JSON. */
export type LogRow = readonly [lastNumber: number, entries: string]

/** Most bytes of one page, unless its first row has more: the memory that a slow reader takes. */
export const LOG_PAGE_BYTES_MAX = 64 * 1024

/** The rows that hold the next `limit` entries after `after`, or as many as fit into one page. Pure. */
export function pageOf(rows: Iterable<LogRow>, after: number, limit: number): LogRow[] {
  const page: LogRow[] = []
  let bytes = 0
  for (const row of rows) {
    bytes += bytesOf(row[1])
    if (page.length > 0 && bytes > LOG_PAGE_BYTES_MAX) break
    page.push(row)
    if (row[0] - after >= limit) break
  }
  return page
}
