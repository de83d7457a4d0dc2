import { z } from 'zod'

/** Sample rates that recordings are made at, in Hz. */
const sampleRate = z.int().min(8000).max(48_000)

/** How much chance there is in a voice, or how long its sounds are. */
const scale = z.number().min(0).max(10)

/** Voices that one model knows. */
export const SPEAKERS_MAX = 2048

/** Phonemes of one model. Published voices have 256. */
const PHONEMES_MAX = 4096

/** Settings of a voice of Piper: VITS (Kim et al., arXiv:2106.06103) in an ONNX file, which reads phonemes. */
export const voiceConfigSchema = z
  .object({
    /** Of what it says, in Hz. */
    sampleRate,
    /** Of the texts that it was trained with, as `en_US`. */
    language: z.string().regex(/^[a-z]{2,3}(?:_[A-Z]{2})?$/, 'a language is like en_US'),
    /** The voice of espeak-ng that made its phonemes, as `en-us`. */
    phonemeVoice: z.string().min(1).max(64),
    /** Ids by phoneme: a character of the IPA, punctuation, or `_`, `^` and `$` for padding, beginning and end. */
    phonemeIds: z
      .record(
        z.string().min(1).max(16),
        z
          .array(
            z
              .int()
              .nonnegative()
              .max(PHONEMES_MAX - 1)
          )
          .min(1)
          .max(8)
      )
      .refine(ids => Object.keys(ids).length <= PHONEMES_MAX, `at most ${PHONEMES_MAX} phonemes`),
    /** Ids that the model knows: from 0 on. */
    phonemeCount: z.int().min(1).max(PHONEMES_MAX),
    /** Chance in the sound; 0 for none. */
    noiseScale: scale,
    /** Chance in the length of sounds; 0 for none. */
    noiseWidth: scale,
    /** Length of sounds at the usual speed; twice as much is half as fast. */
    lengthScale: z.number().min(0.1).max(10),
    /** By name. Empty: the model has one voice, and takes no speaker. */
    speakers: z
      .record(
        z.string().min(1).max(128),
        z
          .int()
          .nonnegative()
          .max(SPEAKERS_MAX - 1)
      )
      .refine(speakers => Object.keys(speakers).length <= SPEAKERS_MAX, `at most ${SPEAKERS_MAX} speakers`),
    /** Of the recordings that it was made from, as its publisher states it. */
    license: z.string().min(1).max(512).optional()
  })
  .superRefine(({ phonemeIds, phonemeCount }, { addIssue }) => {
    const wrong = Object.entries(phonemeIds).find(([, ids]) => ids.some(id => id >= phonemeCount))
    if (wrong === undefined) return
    const message = `"${wrong[0]}" has the id ${Math.max(...wrong[1])}, and there are ${phonemeCount}`
    addIssue({ code: 'custom', path: ['phonemeIds'], message })
  })
export type VoiceConfig = z.infer<typeof voiceConfigSchema>
