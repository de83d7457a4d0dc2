import { letterRules } from './letter-rules.ts'

/** Letters of a word that are looked at; the rest of a longer one is not said. */
export const WORD_LETTERS_MAX = 64

const VOWELS = new Set(['AA', 'AE', 'AH', 'AO', 'AW', 'AY', 'EH', 'ER', 'EY', 'IH', 'IY', 'OW', 'OY', 'UH', 'UW'])

/** How vowels that are not stressed are said. */
const reduced: Readonly<Record<string, string>> = { AE: 'AH', EH: 'AH', AA: 'AH', UH: 'AH' }

/** Endings that say where the stress is: so many vowels from the last, which is 1. */
const stressEndings: readonly (readonly [ending: RegExp, fromLast: number])[] = [
  [/(?:[tsc]ion|[tc]ian|cious|tious|cial|tial)s?$/, 2],
  [/(?:ic|ics)$/, 2],
  [/(?:ical|ically|ity|ities|ify|ogy|ogies|omy|aphy|eous|ious|ial|ian|ium|ual)s?$/, 3],
  [/(?:ee|eer|ese|ette|esque|oon)s?$/, 1]
]

/**
 * How a word that no dictionary has may sound, by rules. It guesses: one or two of ten sounds of common words come out wrong.
 *
 * @param word letters `a` to `z`
 * @returns ARPAbet with stress, as dictionaries have it
 */
export function soundsOfLetters(word: string): string[] {
  const letters = word.slice(0, WORD_LETTERS_MAX)
  const sounds: string[] = []
  for (let at = 0; at < letters.length; ) {
    const rule = letterRules.get(letters[at] ?? '')?.find(({ letters: theirs, before, after }) => {
      if (!letters.startsWith(theirs, at)) return false
      return (before?.test(letters.slice(0, at)) ?? true) && (after?.test(letters.slice(at + theirs.length)) ?? true)
    })
    sounds.push(...(rule?.sounds ?? []))
    at += rule?.letters.length ?? 1
  }
  return stressed(sounds, letters)
}

function stressed(sounds: readonly string[], letters: string): string[] {
  const vowels = [...sounds.keys()].filter(index => VOWELS.has(sounds[index] ?? ''))
  const ending = stressEndings.find(([pattern]) => pattern.test(letters))?.[1] ?? Math.min(vowels.length, 3)
  const primary = vowels[Math.max(0, vowels.length - ending)]
  return sounds.map((sound, index) => {
    if (!VOWELS.has(sound)) return sound
    if (index === primary) return `${sound}1`
    return `${index === vowels[0] ? sound : (reduced[sound] ?? sound)}0`
  })
}
