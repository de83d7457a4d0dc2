import { type AudioFormat, PCM_RATE } from '@resultity/audio'
import { invalidRequest } from '@resultity/interface'
import { type PhonemeThread, SENTENCE_PHONEMES_MAX, toPhonemeIds } from '@resultity/phonemes'
import type { ServedVoice } from '@resultity/placement'
import type { SpeechRequest } from './speech-schema.ts'
import { type ChosenVoice, chooseVoice } from './voice-choice.ts'

/** What is said, by whom, and how it is written. */
export interface SpeechPlan {
  readonly model: ServedVoice
  readonly voice: ChosenVoice
  /** Phoneme ids of each sentence. */
  readonly sentences: readonly (readonly number[])[]
  /** Length of sounds against the usual one. */
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
  const { input, instructions, response_format: format, speed } = request
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
  const voice = chooseVoice(request.voice, model)
  const lengthScale = 1 / (speed ?? 1)
  const { sentences, unspoken } = await phonemes.phonemize(input, {
    phonemesMax: Math.floor(SENTENCE_PHONEMES_MAX / Math.max(1, lengthScale)),
    alphabet: voice.alphabet
  })
  if (sentences.length === 0) {
    const which = unspoken.length === 0 ? '' : ` (${unspoken.slice(0, 8).join(' ')})`
    throw invalidRequest('input', `nothing of input is said in English${which}`, 'Send text in Latin letters.')
  }
  const phonemeCount = sentences.reduce((sum, sentence) => sum + sentence.length, 0)
  return {
    model,
    voice,
    sentences: sentences.map(sentence => toPhonemeIds(sentence, model.config.phonemeIds)),
    lengthScale,
    format: format ?? 'mp3',
    characters: Array.from(input).length,
    secondsMax: Math.ceil((phonemeCount * PHONEME_SECONDS_MAX + sentences.length * SILENCE_SECONDS_MAX) * lengthScale),
    unspoken
  }
}

/** Bytes of what a plan says, in base64: once in the result, and once in the log of a streamed answer. */
export function storedBytes({ format, secondsMax }: SpeechPlan): number {
  return Math.ceil((2 * secondsMax * bytesPerSecond[format] * 4) / 3)
}
