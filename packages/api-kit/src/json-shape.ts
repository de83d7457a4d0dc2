import { invalidRequest } from '@resultity/interface'

/** Deeper than any schema of ours or tool's parameters; far less than what walks over a value by recursion can take. */
const NESTING_MAX = 64

/** Texts, lists and objects, names of members included: more than the longest conversation of the most messages has. */
const PARTS_MAX = 131_072

/** Entries of all lists and objects: more than the most token ids that a request may have. */
const ENTRIES_MAX = 2_097_152

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/**
 * Refuses JSON of a shape that costs more than its length, before anything is made of it: millions of small values, or
 * such as lie in one another. Reads the text once, the inside of texts as fast as the platform finds their end. What is
 * no JSON is left to the parser.
 *
 * @param what how the error calls the text: "the body"
 * @throws MeshError `invalid_request` with `param` null, or `param`
 */
export function checkJsonShape(text: string, what: string, param: string | null = null): void {
  let depth = 0
  let parts = 0
  let entries = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        parts++
        at = endOfText(text, at)
        break
      case OPEN_LIST:
      case OPEN_OBJECT:
        parts++
        if (++depth > NESTING_MAX) {
          throw invalidRequest(param, `${what} nests more than ${NESTING_MAX} levels deep`, 'Send a flatter one.')
        }
        break
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth--
        break
      case COMMA:
        entries++
    }
    if (parts > PARTS_MAX) {
      throw invalidRequest(param, `${what} has more than ${PARTS_MAX} texts, lists and objects`, 'Send it in parts.')
    }
    if (entries > ENTRIES_MAX)
      throw invalidRequest(param, `${what} has more than ${ENTRIES_MAX} entries`, 'Send it in parts.')
  }
}

/** Where the text that begins at `start` ends: at its closing quote, or beyond all. */
function endOfText(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at)
    if (at < 0) return text.length
    let backslashes = 0
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return at
  }
}
