import { type AudioFormat, PCM_RATE } from '@resultity/audio'
import type { Manner } from '@resultity/generation'
import { invalidRequest, MeshError } from '@resultity/interface'
import { type PhonemeThread, SENTENCE_PHONEMES_MAX, toPhonemeIds } from '@resultity/phonemes'
import type { ServedSoundVoice, ServedTokenVoice, ServedVoice } from '@resultity/placement'
import type { SpeechRequest } from './speech-schema.ts'
import { tokenSentences } from './token-sentences.ts'
import { type ChosenVoice, chooseVoice } from './voice-choice.ts'

/** What is said, by whom, and how it is written. */
export interface SpeechPlan {
  readonly model: ServedVoice
  readonly voice: ChosenVoice
  /** Of each sentence, ids of its sounds, or of its tokens. */
  readonly sentences: readonly (readonly number[])[]
  /** How sentences are said. */
  readonly manner: Manner
  /** Length of pauses against the usual one. */
  readonly lengthScale: number
  readonly format: AudioFormat
  /** Characters of the input. */
  readonly characters: number
  /** What it lasts at the most, in seconds. */
  readonly secondsMax: number
  /** Characters of the input for which there is no sound. */
  readonly unspoken: readonly string[]
}

/** What a plan is made with. */
export interface PlanParts {
  readonly phonemes: Pick<PhonemeThread, 'phonemize'>
  /** Whether a form is written here. */
  readonly writes: (format: AudioFormat) => boolean
}

/** The longest that a phoneme of a published voice lasts on average over a sentence, pauses included. */
const PHONEME_SECONDS_MAX = 0.25

/** The longest silence that a published voice sets before and behind a sentence. */
const SILENCE_SECONDS_MAX = 1.5

/** Tokens that are said in a second, when somebody speaks slowly: a sentence with more would be cut off. */
const TOKENS_PER_SECOND = 3.5
const SENTENCE_TOKENS_MIN = 8

/** Bytes of a second of sound. */
const bytesPerSecond: Readonly<Record<AudioFormat, number>> = {
  mp3: 8192,
  aac: 12_000,
  opus: 6144,
  // as many as bare samples at the highest rate
  flac: 100_000,
  wav: 96_000,
  pcm: 2 * PCM_RATE
}

/**
 * Reads a checked request.
 *
 * @throws MeshError `invalid_request` naming the field; what {@link PhonemeThread.phonemize} throws
 */
export async function toSpeechPlan(
  request: SpeechRequest,
  model: ServedVoice,
  { phonemes, writes }: PlanParts
): Promise<SpeechPlan> {
  const { input, instructions, response_format: format } = request
  if (instructions?.trim()) {
    throw invalidRequest(
      'instructions',
      'instructions change the sound, and no voice here follows them',
      'Leave it out.'
    )
  }
  if (!writes(format ?? 'mp3')) {
    throw invalidRequest(
      'response_format',
      `"${format}" is not written here, since the coordinator has no ffmpeg`,
      'Ask for mp3, opus, flac, wav or pcm, or install ffmpeg on the coordinator.'
    )
  }
  const said = await (model.tokenizer === undefined ? readSounds(request, model, phonemes) : readTokens(request, model))
  if (said.sentences.length === 0) {
    const which = said.unspoken.length === 0 ? '' : ` (${said.unspoken.slice(0, 8).join(' ')})`
    const how = model.tokenizer === undefined ? ' in English' : ''
    throw invalidRequest('input', `nothing of input is said${how}${which}`, 'Send text in Latin letters.')
  }
  return { model, format: format ?? 'mp3', characters: Array.from(input).length, ...said }
}

type Read = Pick<SpeechPlan, 'voice' | 'sentences' | 'manner' | 'lengthScale' | 'secondsMax' | 'unspoken'>

async function readSounds(
  { input, speed, seed, temperature, ...request }: SpeechRequest,
  model: ServedSoundVoice,
  phonemes: PlanParts['phonemes']
): Promise<Read> {
  for (const [param, value] of Object.entries({ seed, temperature })) {
    if (value === undefined || value === null) continue
    throw invalidRequest(param, `"${model.id}" draws no tokens, so that ${param} changes nothing`, 'Leave it out.')
  }
  const voice = chooseVoice(request.voice, model)
  const lengthScale = 1 / (speed ?? 1)
  const { sentences, unspoken } = await phonemes.phonemize(input, {
    phonemesMax: Math.floor(SENTENCE_PHONEMES_MAX / Math.max(1, lengthScale)),
    ...(voice.alphabet === undefined ? {} : { alphabet: voice.alphabet })
  })
  const phonemeCount = sentences.reduce((sum, sentence) => sum + sentence.length, 0)
  return {
    voice,
    sentences: sentences.map(sentence => toPhonemeIds(sentence, model.config.phonemeIds)),
    manner: { lengthScale },
    lengthScale,
    secondsMax: Math.ceil((phonemeCount * PHONEME_SECONDS_MAX + sentences.length * SILENCE_SECONDS_MAX) * lengthScale),
    unspoken
  }
}

async function readTokens(
  { input, speed, seed, temperature, ...request }: SpeechRequest,
  model: ServedTokenVoice
): Promise<Read> {
  if (speed !== undefined && speed !== null && speed !== 1) {
    throw invalidRequest('speed', `"${model.id}" speaks as fast as it does, and speed is 1`, 'Leave it out.')
  }
  if (seed === undefined || seed === null) throw new MeshError('internal', 'a seed was to be drawn before')
  const voice = chooseVoice(request.voice, model)
  const { inputLength, newTokensMax, rate } = model.config.semantic
  const secondsMax = newTokensMax / rate
  const tokensMax = Math.min(inputLength, Math.max(SENTENCE_TOKENS_MIN, Math.floor(secondsMax * TOKENS_PER_SECOND)))
  const sentences = tokenSentences(input, model.tokenizer, tokensMax)
  return {
    voice,
    sentences,
    manner: {
      seed: BigInt.asUintN(64, BigInt(seed)).toString(),
      ...(temperature === undefined || temperature === null ? {} : { temperature })
    },
    lengthScale: 1,
    secondsMax: Math.ceil(sentences.length * (secondsMax + SILENCE_SECONDS_MAX)),
    unspoken: []
  }
}

/** Bytes of what a plan says, in base64: once in the result, and once in the log of a streamed answer. */
export function storedBytes({ format, secondsMax }: SpeechPlan): number {
  return Math.ceil((2 * secondsMax * bytesPerSecond[format] * 4) / 3)
}
