/**
 * Characters that control a terminal, or that make text look like other text: control characters of both sets, marks
 * that change the direction of writing, characters without width, line separators, halves of surrogate pairs.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u17b4\u17b5\u3164\uffa0]/gu

/**
 * The characters of these that running text may contain: line breaks, tabs, and the joiners of emoji and of Arabic and
 * Indic scripts.
 */
const PROSE: ReadonlySet<string> = new Set(['\n', '\t', '\u200c', '\u200d'])

/** U+2400 shows U+0000, and so on: ␛ for escape, ␊ for a line feed. */
const PICTURES_START = 0x2400
const DELETE = 0x7f
const DELETE_PICTURE = '␡'

/** Foreign text on one line of a terminal: characters that would act there are shown instead. */
export function visible(text: string): string {
  return text.replaceAll(UNSAFE, picture)
}

/** The same for running text, such as a model's answer: lines, tabs and joined characters stay. */
export function visibleProse(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll(UNSAFE, found => (PROSE.has(found) ? found : picture(found)))
}

/** A value as JSON that is the same value, and does nothing to a terminal that shows it. */
export function visibleJson(value: unknown): string {
  return escapeJson(JSON.stringify(value))
}

/** JSON text in which everything that a terminal obeys is written as its number: it is inside strings only. */
export function escapeJson(json: string): string {
  return json.replaceAll(UNSAFE, found => (found === '\n' ? found : escapeUnits(found)))
}

function escapeUnits(text: string): string {
  return Array.from({ length: text.length }, (_, index) => {
    return `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`
  }).join('')
}

function picture(found: string): string {
  const code = found.codePointAt(0) ?? 0
  if (code < 0x20) return String.fromCodePoint(PICTURES_START + code)
  return code === DELETE ? DELETE_PICTURE : `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`
}
