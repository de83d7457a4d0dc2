const VALUES: Readonly<Record<string, number>> = { I: 1, V: 5, X: 10, L: 50 }

const COUNTED =
  /^(?:act|appendix|article|book|chapter|class|figure|level|mark|part|phase|section|stage|step|table|title|type|unit|volume|war)$/i

const RULERS =
  /^(?:alexander|catherine|charles|edward|elizabeth|francis|frederick|george|gregory|henry|ivan|james|john|leo|louis|napoleon|nicholas|paul|peter|philip|pius|ramses|richard|william)$/i

/**
 * How a Roman numeral from II to XXXIX is meant behind `before`: counted (`Chapter IV`), as a ruler's number (`Henry VIII`),
 * or not as a numeral.
 *
 * @returns its digits
 */
export function romanNumeral(
  text: string,
  before: string
): { readonly digits: string; readonly ordinal: boolean } | undefined {
  if (!/^X{0,3}(?:IX|IV|V?I{0,3})$/.test(text) || text === '') return undefined
  const ordinal = RULERS.test(before)
  if (!ordinal && !COUNTED.test(before)) return undefined
  let value = 0
  for (let at = 0; at < text.length; at++) {
    const here = VALUES[text[at] ?? ''] ?? 0
    value += here < (VALUES[text[at + 1] ?? ''] ?? 0) ? -here : here
  }
  return { digits: String(value), ordinal }
}
