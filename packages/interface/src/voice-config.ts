import { z } from 'zod'

/** Sample rates that recordings are made at, in Hz. */
const sampleRate = z.int().min(8000).max(48_000)

/** How much chance there is in a voice, or how long its sounds are. */
const scale = z.number().min(0).max(10)

/** Voices that one model knows. */
export const SPEAKERS_MAX = 2048

/** Phonemes of one model. Published voices have 256. */
const PHONEMES_MAX = 4096

/** Of the texts that a voice was trained with. */
const language = z.string().regex(/^[a-z]{2,3}(?:_[A-Z]{2})?$/, 'a language is like en_US')

/** Ids by phoneme: a character of the IPA, punctuation, or `_`, `^` and `$` for padding, beginning and end. */
const phonemeIds = z
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
  .refine(ids => Object.keys(ids).length <= PHONEMES_MAX, `at most ${PHONEMES_MAX} phonemes`)

/** Numbers by name. */
const speakers = z
  .record(
    z.string().min(1).max(128),
    z
      .int()
      .nonnegative()
      .max(SPEAKERS_MAX - 1)
  )
  .refine(names => Object.keys(names).length <= SPEAKERS_MAX, `at most ${SPEAKERS_MAX} speakers`)

/** Ids that a model knows: from 0 on. */
const phonemeCount = z.int().min(1).max(PHONEMES_MAX)

/** Of the recordings that a voice was made from, as its publisher states it. */
const license = z.string().min(1).max(512).optional()

/** Settings of a voice of Piper: VITS (Kim et al., arXiv:2106.06103) in an ONNX file, which reads phonemes. */
export const piperConfigSchema = z
  .object({
    /** Of what it says, in Hz. */
    sampleRate,
    /** As `en_US`. */
    language,
    /** The voice of espeak-ng that made its phonemes, as `en-us`. */
    phonemeVoice: z.string().min(1).max(64),
    phonemeIds,
    phonemeCount,
    /** Chance in the sound; 0 for none. */
    noiseScale: scale,
    /** Chance in the length of sounds; 0 for none. */
    noiseWidth: scale,
    /** Length of sounds at the usual speed; twice as much is half as fast. */
    lengthScale: z.number().min(0.1).max(10),
    /** By name. Empty: the model has one voice, and takes no speaker. */
    speakers,
    license
  })
  .superRefine(checkPhonemeIds)
export type PiperConfig = z.infer<typeof piperConfigSchema>

/** Voices of one Kokoro at the most: 54 are published. */
export const KOKORO_SPEAKERS_MAX = 256

/**
 * Settings of Kokoro: StyleTTS 2 (Li et al., arXiv:2306.07691) with an iSTFT for a vocoder, in an ONNX file, which reads
 * phonemes and a vector for the style. A voice is a table of such vectors: a row for each length of a sentence.
 */
export const kokoroConfigSchema = z
  .object({
    /** Of what it says, in Hz. */
    sampleRate,
    /** Of the first speaker, as `en_US`. */
    language,
    phonemeIds,
    phonemeCount,
    /** Rows of each speaker's table: for sentences of 1, 2, … phonemes; longer ones take the last. */
    styleRows: z.int().min(1).max(1024),
    /** Numbers of a row. */
    styleSize: z.int().min(1).max(4096),
    /** By name: which of the tables. */
    speakers: speakers.refine(names => Object.keys(names).length > 0, 'there is at least one speaker'),
    /** Of each speaker. */
    languages: z.record(z.string().min(1).max(128), language),
    license
  })
  .superRefine(checkPhonemeIds)
  .superRefine(({ speakers, languages }, { addIssue }) => {
    const names = Object.keys(speakers)
    if (names.length > KOKORO_SPEAKERS_MAX) {
      const message = `at most ${KOKORO_SPEAKERS_MAX} speakers`
      addIssue({ code: 'custom', path: ['speakers'], message })
    }
    // the tables lie one after the other, and each is somebody's
    if (
      new Set(Object.values(speakers)).size !== names.length ||
      Math.max(...Object.values(speakers)) >= names.length
    ) {
      addIssue({ code: 'custom', path: ['speakers'], message: 'speakers are numbered from 0, each once' })
    }
    const wanting = names.find(name => !Object.hasOwn(languages, name))
    if (wanting === undefined) return
    addIssue({ code: 'custom', path: ['languages'], message: `"${wanting}" has no language` })
  })
export type KokoroConfig = z.infer<typeof kokoroConfigSchema>

export type VoiceConfig = PiperConfig | KokoroConfig

/** True for settings of Kokoro. */
export function isKokoroConfig(config: VoiceConfig): config is KokoroConfig {
  return 'styleSize' in config
}

/** Bytes of the tables of all speakers: f32. */
export function styleBytes({ speakers, styleRows, styleSize }: KokoroConfig): number {
  return 4 * Object.keys(speakers).length * styleRows * styleSize
}

function checkPhonemeIds(
  { phonemeIds, phonemeCount }: Pick<PiperConfig, 'phonemeIds' | 'phonemeCount'>,
  { addIssue }: Pick<z.RefinementCtx, 'addIssue'>
): void {
  const wrong = Object.entries(phonemeIds).find(([, ids]) => ids.some(id => id >= phonemeCount))
  if (wrong === undefined) return
  const message = `"${wrong[0]}" has the id ${Math.max(...wrong[1])}, and there are ${phonemeCount}`
  addIssue({ code: 'custom', path: ['phonemeIds'], message })
}
