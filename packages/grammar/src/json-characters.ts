import { ANY_CHARACTER, type CodePoints, without } from './characters.ts'

export const QUOTE = 0x22
export const BACKSLASH = 0x5c
const CONTROLS: CodePoints = [[0, 0x1f]]
/** Characters that a JSON string may hold as they are. */
export const PLAIN: CodePoints = without(ANY_CHARACTER, [...CONTROLS, [QUOTE, QUOTE], [BACKSLASH, BACKSLASH]])
