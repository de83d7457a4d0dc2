/** Length of the end of `text` that may be the beginning of one of `marks`. */
export function begunLength(text: string, marks: readonly string[]): number {
  let longest = 0
  for (const mark of marks) {
    for (let length = Math.min(mark.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(mark.slice(0, length))) longest = length
    }
  }
  return longest
}

/** The first of `marks` in a text, and the longest of those at the same place; undefined where there is none. */
export function firstMark(
  text: string,
  marks: readonly string[]
): { readonly mark: string; readonly at: number } | undefined {
  let first: { readonly mark: string; readonly at: number } | undefined
  for (const mark of marks) {
    const at = text.indexOf(mark)
    if (at < 0 || (first !== undefined && at > first.at)) continue
    if (first === undefined || at < first.at || mark.length > first.mark.length) first = { mark, at }
  }
  return first
}
