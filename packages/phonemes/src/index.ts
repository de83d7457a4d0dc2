export { PronouncingDictionary } from './dictionary.ts'
export { type PhonemeIdMap, toPhonemeIds } from './phoneme-ids.ts'
export { phonemize, SENTENCE_PHONEMES_MAX, type SpokenText } from './phonemize.ts'
export type { Dictionary } from './pronounce.ts'
