import { CODE_POINT_MAX, type CodePoints } from './characters.ts'

/** Code points that are put into one text to be searched. */
const BLOCK = 0x1_0000
/** The names that there are, with their values, are some 800; those in use are few. */
const KEPT_MAX = 64

const kept = new Map<string, CodePoints>()

/**
 * The characters that `\p{NAME}` stands for in a pattern of ECMAScript, as the Unicode data of the running engine says;
 * undefined for a name that is none.
 */
export function unicodeClass(name: string): CodePoints | undefined {
  if (!/^[A-Za-z][A-Za-z0-9_]{0,40}(=[A-Za-z][A-Za-z0-9_]{0,40})?$/.test(name)) return undefined
  const known = kept.get(name)
  if (known !== undefined) return known
  const run = runsOf(name)
  if (run === undefined) return undefined
  const ranges = search(run)
  if (kept.size >= KEPT_MAX) kept.clear()
  kept.set(name, ranges)
  return ranges
}

function runsOf(name: string): RegExp | undefined {
  try {
    return new RegExp(`\\p{${name}}+`, 'gu')
  } catch {
    return undefined
  }
}

function search(run: RegExp): CodePoints {
  const ranges: [number, number][] = []
  for (let start = 0; start <= CODE_POINT_MAX; start += BLOCK) {
    const offsets = start === 0 ? 1 : 2
    for (const { index, 0: found } of block(start).matchAll(run)) {
      const first = start + index / offsets
      const last = first + found.length / offsets - 1
      const before = ranges.at(-1)
      if (before !== undefined && before[1] === first - 1) before[1] = last
      else ranges.push([first, last])
    }
  }
  return ranges
}

/** Every code point from `start` on, each at its own place; what is no character is a zero. */
function block(start: number): string {
  const units = new Uint16Array(start === 0 ? BLOCK : 2 * BLOCK)
  for (let offset = 0; offset < BLOCK; offset++) {
    const code = start + offset
    if (start === 0) units[offset] = code >= 0xd800 && code <= 0xdfff ? 0 : code
    else {
      units[2 * offset] = 0xd800 + ((code - 0x1_0000) >> 10)
      units[2 * offset + 1] = 0xdc00 + (code & 0x3ff)
    }
  }
  return new TextDecoder('utf-16le', { ignoreBOM: true }).decode(units)
}
