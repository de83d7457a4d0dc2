/** Bytes of a file. */
export interface FileExtent {
  /** Names the file, as its {@link ByteSource} does. */
  readonly file: string
  readonly offset: number
  readonly bytes: number
}

/** The same bytes in as few extents as possible, by file and offset, without those that are there twice. */
export function mergeExtents(extents: readonly FileExtent[]): FileExtent[] {
  const merged: FileExtent[] = []
  const sorted = extents.toSorted((a, b) => compareNames(a.file, b.file) || a.offset - b.offset)
  for (const extent of sorted) {
    if (extent.bytes === 0) continue
    const last = merged.at(-1)
    if (last === undefined || last.file !== extent.file || extent.offset > last.offset + last.bytes) {
      merged.push({ file: extent.file, offset: extent.offset, bytes: extent.bytes })
      continue
    }
    const end = Math.max(last.offset + last.bytes, extent.offset + extent.bytes)
    merged[merged.length - 1] = { ...last, bytes: end - last.offset }
  }
  return merged
}

/** The same on every machine, whatever its language. */
function compareNames(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
