import type { RelaxedKeyword } from '@resultity/grammar'

const PLACES_MAX = 16
const CHARACTERS_MAX = 1024
const PLACE_CHARACTERS_MAX = 128

/** Of the API's description. */
export const RELAXED_HEADER = {
  'x-resultity-relaxed': 'Keywords of schemas that the answer is not held to: `properties.a.not, tools[0].oneOf`.'
}

/**
 * The place of a keyword that is not enforced, `properties.a.not` or `tools[0].properties.a.not`. Names are the
 * client's: what has no place in a header is written as in an address.
 */
export function relaxedPlace({ functionIndex, path }: RelaxedKeyword, tools: readonly string[]): string {
  const steps = path.split('/').slice(1)
  const tool = functionIndex === undefined ? [] : [tools[functionIndex] ?? 'tools']
  const written = steps.map(step => encodeURIComponent(step.replaceAll('~1', '/').replaceAll('~0', '~').toWellFormed()))
  return [...tool, ...written].join('.')
}

/** The header that names them; none where there is nothing to name. */
export function relaxedHeaders(places: readonly string[]): Readonly<Record<string, string>> {
  const distinct = [...new Set(places)]
  const named: string[] = []
  let characters = 0
  for (const place of distinct) {
    const short = place.length <= PLACE_CHARACTERS_MAX ? place : `${place.slice(0, PLACE_CHARACTERS_MAX)}...`
    characters += short.length + 2
    if (named.length === PLACES_MAX || characters > CHARACTERS_MAX) break
    named.push(short)
  }
  if (named.length === 0) return {}
  const more = distinct.length - named.length
  return { 'x-resultity-relaxed': [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(', ') }
}
