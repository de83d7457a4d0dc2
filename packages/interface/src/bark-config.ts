import { z } from 'zod'
import { SENTENCE_SAMPLES_MAX } from './synthesis-job.ts'
import { SPEAKERS_MAX } from './voice-config.ts'

const size = z.int().positive()
const width = size.max(16_384)
const token = z.int().nonnegative().max(4_194_303)
const vocabulary = size.max(4_194_304)
/** Positions of one run. Published models have 1024. */
const length = size.max(8192)
const rate = z.number().positive().max(10_000)

/** How tokens are drawn where a request does not say it. */
const sampling = {
  /** 0: the most likely one. */
  temperature: z.number().min(0).max(10),
  /** Of so many that are most likely; 0 for all. */
  topK: z.int().nonnegative(),
  /** Of the fewest whose probabilities add up to it. */
  topP: z.number().min(0).max(1)
}

/** A transformer of Bark: GPT-2's shape (Radford et al., 2019). */
const transformer = {
  layerCount: size.max(256),
  headCount: size.max(256),
  hiddenSize: width,
  /** Rows of the table of positions. */
  context: length
}

/** Frames or tokens of one part of a voice's prompt. */
const promptLength = z.int().nonnegative().max(16_384)

/** What a voice has said before, which tells Bark how it sounds: lengths of what lies in the file of prompts. */
export const barkPromptSchema = z.object({
  /** Semantic tokens. */
  semantic: promptLength,
  /** Frames of the first codebooks. */
  coarse: promptLength,
  /** Frames of all codebooks. */
  fine: promptLength
})
export type BarkPrompt = z.infer<typeof barkPromptSchema>

/** EnCodec's decoder (Défossez et al., arXiv:2210.13438): codes of codebooks to samples. */
const codec = z.object({
  codebookSize: size.max(32_768),
  /** Numbers of a code. */
  hiddenSize: width,
  /** Channels before the last convolution. */
  filterCount: size.max(1024),
  kernelSize: size.max(64),
  lastKernelSize: size.max(64),
  residualKernelSize: size.max(64),
  dilationGrowth: size.max(16),
  /** By how much each part makes it longer. */
  ratios: z.array(size.max(64)).min(1).max(8),
  residualCount: size.max(16),
  recurrentCount: size.max(8),
  /** How many times fewer channels a residual unit has within. */
  compress: size.max(64),
  /** Share of what a transposed convolution adds that is cut off at the right. */
  trimRight: z.number().min(0).max(1),
  /** Whether what goes past a residual unit has a convolution of its own. */
  shortcut: z.boolean()
})

/** Settings of Bark: three transformers and a codec, which read tokens of a text. Names of fields follow its paper-less code. */
export const barkConfigSchema = z
  .object({
    sampleRate: z.int().min(8000).max(48_000),
    /** Of the first voice, as `en`. */
    language: z.string().regex(/^[a-z]{2,3}$/),
    semantic: z.object({
      ...transformer,
      ...sampling,
      inputVocabularySize: vocabulary,
      outputVocabularySize: vocabulary,
      /** Added to the ids of the tokenizer. */
      textOffset: token,
      textPad: token,
      /** Stands behind the text. */
      infer: token,
      /** Semantic tokens: from 0 on. */
      semanticCount: vocabulary,
      /** Ends what is said, and fills up a prompt. */
      end: token,
      /** Ends it as soon as it is so likely. */
      endProbability: z.number().min(0).max(1).optional(),
      /** Positions of the text, and of the prompt that is added to it. */
      inputLength: length,
      newTokensMax: length,
      /** Tokens of a second. */
      rate
    }),
    coarse: z.object({
      ...transformer,
      ...sampling,
      vocabularySize: vocabulary,
      pad: token,
      infer: token,
      inputLength: length,
      historyLength: length,
      /** Tokens that are written before it reads anew. */
      windowLength: length,
      codebookCount: size.max(32),
      /** Frames of a second. */
      rate
    }),
    fine: z.object({
      ...transformer,
      vocabularySize: vocabulary,
      codebookCount: size.max(32),
      historyLength: length,
      inputLength: length,
      temperature: z.number().min(0).max(10)
    }),
    codec,
    /** By number: what each voice has said. */
    prompts: z.array(barkPromptSchema).max(SPEAKERS_MAX),
    /** Voices by name: the number of each one's prompt. */
    speakers: z.record(z.string().min(1).max(128), z.int().nonnegative()),
    /** Of each voice. */
    languages: z.record(z.string().min(1).max(128), z.string().regex(/^[a-z]{2,3}$/)),
    license: z.string().min(1).max(512).optional()
  })
  .superRefine(({ semantic, coarse, fine, codec, speakers, languages, prompts }, { addIssue }) => {
    const refuse = (path: string[], message: string): void => addIssue({ code: 'custom', path, message })
    for (const [name, part] of Object.entries({ semantic, coarse, fine })) {
      if (part.hiddenSize % part.headCount !== 0) refuse([name, 'headCount'], 'heads share the hidden values evenly')
    }
    if (semantic.inputLength + semantic.newTokensMax > semantic.context)
      refuse(['semantic', 'context'], 'is too short for what is written')
    if (coarse.inputLength + 1 + coarse.historyLength + coarse.windowLength > coarse.context) {
      refuse(['coarse', 'context'], 'is too short for a window')
    }
    if (fine.inputLength > fine.context || fine.historyLength > fine.inputLength)
      refuse(['fine', 'inputLength'], 'is no window')
    const tokens = [semantic.textPad, semantic.infer, semantic.end, semantic.textOffset]
    if (tokens.some(id => id >= semantic.inputVocabularySize) || semantic.end >= semantic.outputVocabularySize) {
      refuse(['semantic'], 'has a token that the vocabulary lacks')
    }
    if (semantic.semanticCount > semantic.outputVocabularySize || semantic.end < semantic.semanticCount) {
      refuse(['semantic', 'semanticCount'], 'does not fit the vocabulary')
    }
    if (
      [coarse.pad, coarse.infer, semantic.semanticCount + coarse.codebookCount * codec.codebookSize - 1].some(
        id => id >= coarse.vocabularySize
      )
    ) {
      refuse(['coarse'], 'has a token that the vocabulary lacks')
    }
    if (coarse.windowLength % coarse.codebookCount !== 0 || coarse.historyLength % coarse.codebookCount !== 0) {
      refuse(['coarse', 'windowLength'], 'is of whole frames')
    }
    if (fine.codebookCount <= coarse.codebookCount || codec.codebookSize >= fine.vocabularySize)
      refuse(['fine'], 'does not fit the codebooks')
    const ratio = codec.ratios.reduce((product, each) => product * each, 1)
    if ((semantic.newTokensMax / semantic.rate) * coarse.rate * ratio > SENTENCE_SAMPLES_MAX) {
      refuse(['semantic', 'newTokensMax'], `is more than ${SENTENCE_SAMPLES_MAX} samples`)
    }
    const names = Object.keys(speakers)
    if (names.some(name => !Object.hasOwn(languages, name) || (speakers[name] ?? 0) >= prompts.length)) {
      refuse(['speakers'], 'each voice has a language and a prompt')
    }
  })
export type BarkConfig = z.infer<typeof barkConfigSchema>

/** Samples of one frame of codes. */
export function frameSamples({ codec }: Pick<BarkConfig, 'codec'>): number {
  return codec.ratios.reduce((product, ratio) => product * ratio, 1)
}

/** Numbers of one prompt in the file of prompts, each of 16 bits. */
export function promptNumbers({ coarse, fine }: Pick<BarkConfig, 'coarse' | 'fine'>, prompt: BarkPrompt): number {
  return prompt.semantic + coarse.codebookCount * prompt.coarse + fine.codebookCount * prompt.fine
}
