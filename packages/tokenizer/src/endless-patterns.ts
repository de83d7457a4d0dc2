/** The longest published pattern has some 700 characters. */
export const PATTERN_CHARS_MAX = 8192

/** A pattern's group while it is read. */
interface Group {
  /** Something inside may be repeated without end. */
  repeats: boolean
}

/**
 * Whether a regular expression repeats without end what repeats without end itself, such as `(a+)*`: on a text that fits
 * almost, trying all ways to share it out takes time without end, and nothing can stop a match. No published tokenizer does.
 */
export function hasNestedRepeats(pattern: string): boolean {
  const groups: Group[] = [{ repeats: false }]
  let closed: Group | undefined
  for (let at = 0; at < pattern.length; at++) {
    const repeat = endlessRepeatAt(pattern, at)
    if (repeat !== undefined) {
      if (closed?.repeats === true) return true
      const around = groups.at(-1)
      if (around !== undefined) around.repeats = true
      closed = undefined
      at += repeat - 1
      continue
    }
    const letter = pattern[at]
    closed = undefined
    if (letter === '\\') at++
    else if (letter === '[') at = endOfClass(pattern, at)
    else if (letter === '(') groups.push({ repeats: false })
    else if (letter === ')' && groups.length > 1) {
      closed = groups.pop()
      const around = groups.at(-1)
      if (around !== undefined && closed?.repeats === true) around.repeats = true
    }
  }
  return false
}

/** Length of a `*`, `+` or `{n,}` at `at`; undefined where there is none. */
function endlessRepeatAt(pattern: string, at: number): number | undefined {
  if (pattern[at] === '*' || pattern[at] === '+') return 1
  const braces = /^\{\d*,\}/.exec(pattern.slice(at, at + 16))
  return braces === null ? undefined : braces[0].length
}

/** Where the character class that begins at `at` ends. */
function endOfClass(pattern: string, at: number): number {
  for (let end = at + 1; end < pattern.length; end++) {
    if (pattern[end] === '\\') end++
    else if (pattern[end] === ']') return end
  }
  return pattern.length
}
