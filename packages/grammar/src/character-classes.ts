import { ANY_CHARACTER, type CodePoints, normalized, without } from './characters.ts'

const DIGIT: CodePoints = [[0x30, 0x39]]
const WORD: CodePoints = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a]
]
const SPACE: CodePoints = normalized([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff]
])
/** What `.` leaves out. */
export const LINE_ENDS: CodePoints = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029]
]
/** What a backslash and a letter stand for in a pattern of ECMAScript. */
export const CLASSES: Readonly<Record<string, CodePoints>> = {
  d: DIGIT,
  D: without(ANY_CHARACTER, DIGIT),
  w: WORD,
  W: without(ANY_CHARACTER, WORD),
  s: SPACE,
  S: without(ANY_CHARACTER, SPACE)
}
export const CONTROLS: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d, '0': 0 }
