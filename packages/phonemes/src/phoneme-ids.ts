/** Ids of each phoneme in a voice's model, by the character that stands for it. */
export type PhonemeIdMap = Readonly<Record<string, readonly number[]>>

/** Characters that stand for what is no sound: padding, beginning and end. */
const PAD = '_'
const BEGIN = '^'
const END = '$'

/**
 * Ids of a sentence as Piper's voices expect them: its beginning, each phoneme with padding behind it, its end. Phonemes that
 * the voice has no id for are left out.
 *
 * @param phonemes one character each, in Unicode's decomposed form
 */
export function toPhonemeIds(phonemes: string, ids: PhonemeIdMap): number[] {
  const pad = ids[PAD] ?? []
  const found = [...(ids[BEGIN] ?? []), ...pad]
  for (const phoneme of phonemes.normalize('NFD')) {
    const own = Object.hasOwn(ids, phoneme) ? ids[phoneme] : undefined
    if (own !== undefined) found.push(...own, ...pad)
  }
  return [...found, ...(ids[END] ?? [])]
}
