import { z } from 'zod'
import { LAYERS_MAX } from './layer-range.ts'

const size = z.int().positive()

/** Encoder positions of a window of 30 s: one for 20 ms, and so is one timestamp. */
export const AUDIO_CONTEXT_MAX = 1500

/** A whole number of tokens, decoded at once. Published models have 448. */
const TEXT_CONTEXT_MAX = 4096

/** Languages of one model; the largest knows 100. */
const LANGUAGES_MAX = 256

/** Tokens that are never written, and heads that word times are made of. */
const LISTED_MAX = 1024

const token = z.int().nonnegative().max(4_194_303)

/** Ids of the tokens that steer decoding. */
const whisperTokensSchema = z.object({
  /** `<|startoftranscript|>`, with which every window begins. */
  startOfTranscript: token,
  /** `<|endoftext|>`. Ids below it are text. */
  endOfText: token,
  transcribe: token,
  /** Into English. */
  translate: token,
  /** `<|nospeech|>`; its probability behind `startOfTranscript` says whether nobody speaks. */
  noSpeech: token,
  noTimestamps: token,
  /** `<|0.00|>`. Each later id is 20 ms later, up to the window's end. */
  firstTimestamp: token,
  /** `<|startofprev|>`, behind which stands what was said before. */
  startOfPrevious: token
})
export type WhisperTokens = z.infer<typeof whisperTokensSchema>

/**
 * Sizes and settings of a Whisper (Radford et al., arXiv:2212.04356): an encoder that hears a window of 30 s, and a decoder
 * that writes what was said.
 */
export const whisperConfigSchema = z
  .object({
    /** Bands of the log-mel spectrogram. */
    melBins: size.max(512),
    /** Positions of the encoder; a window is twice as many frames of the spectrogram, 10 ms each. */
    audioContext: size.max(AUDIO_CONTEXT_MAX),
    /** Positions of the decoder. */
    textContext: size.max(TEXT_CONTEXT_MAX),
    hiddenSize: size.max(65_536),
    encoderLayerCount: size.max(LAYERS_MAX / 2),
    encoderHeadCount: size.max(1024),
    encoderFeedForwardSize: size.max(1_048_576),
    decoderLayerCount: size.max(LAYERS_MAX / 2),
    decoderHeadCount: size.max(1024),
    decoderFeedForwardSize: size.max(1_048_576),
    vocabularySize: size.max(4_194_304),
    /** Whether it knows languages beside English, and translates. */
    multilingual: z.boolean(),
    tokens: whisperTokensSchema,
    /** The token of each language, by its code, such as `de`. Empty unless multilingual. */
    languages: z.record(z.string().regex(/^[a-z]{2,3}$/, 'a language is written as two or three letters'), token),
    /** Tokens that are never written. */
    suppress: z.array(token).max(LISTED_MAX),
    /** Tokens that a window's text does not begin with. */
    suppressAtBegin: z.array(token).max(LISTED_MAX),
    /** `[layer, head]` of the decoder's heads whose cross attention follows the sound: word times are made of theirs. */
    alignmentHeads: z
      .array(z.tuple([z.int().nonnegative(), z.int().nonnegative()]))
      .min(1)
      .max(LISTED_MAX)
  })
  .superRefine((config, context) => {
    for (const { path, message } of wrongSizes(config)) context.addIssue({ code: 'custom', path, message })
  })
export type WhisperConfig = z.infer<typeof whisperConfigSchema>

/** The most tokens that what was said before may take: half of the context less the one before them. */
export function previousTokensMax({ textContext }: Pick<WhisperConfig, 'textContext'>): number {
  return Math.floor(textContext / 2) - 1
}

interface Wrong {
  readonly path: (string | number)[]
  readonly message: string
}

type Sizes = Omit<WhisperConfig, 'melBins' | 'textContext'>

/** What does not go together. */
function* wrongSizes(config: Sizes): Generator<Wrong> {
  const { hiddenSize, decoderLayerCount, decoderHeadCount, vocabularySize, audioContext, tokens, languages } = config
  for (const field of ['encoderHeadCount', 'decoderHeadCount'] as const) {
    if (hiddenSize % config[field] === 0) continue
    const message = `${hiddenSize} hidden values cannot be shared by ${config[field]} heads evenly`
    yield { path: [field], message }
  }
  for (const [index, [layer, head]] of config.alignmentHeads.entries()) {
    if (layer < decoderLayerCount && head < decoderHeadCount) continue
    yield { path: ['alignmentHeads', index], message: `the decoder has no head ${head} on a layer ${layer}` }
  }
  // one for each position of the encoder, and one for the window's end
  const timestampsEnd = tokens.firstTimestamp + audioContext + 1
  if (timestampsEnd > vocabularySize) {
    const message = `timestamps up to ${timestampsEnd - 1} do not fit a vocabulary of ${vocabularySize}`
    yield { path: ['tokens', 'firstTimestamp'], message }
  }
  const ids = [...Object.values(tokens), ...Object.values(languages), ...config.suppress, ...config.suppressAtBegin]
  const outside = ids.find(id => id >= vocabularySize)
  if (outside !== undefined) {
    yield { path: ['vocabularySize'], message: `token ${outside} is not of a vocabulary of ${vocabularySize}` }
  }
  const count = Object.keys(languages).length
  if (count > LANGUAGES_MAX || config.multilingual !== count > 0) {
    yield {
      path: ['languages'],
      message: `a multilingual model lists 1 to ${LANGUAGES_MAX} languages, and another none; these are ${count}`
    }
  }
}
