import {
  MeshError,
  type SpeechModel,
  type SpeechSession,
  type WhisperConfig,
  type WorkOptions
} from '@resultity/interface'
import { openingTokens, type SpeechTask, taskTokens } from './decoding-prompt.ts'
import { isContext, isSilence, needsFallback, surestOf } from './fallback.ts'
import { ENGLISH, type SpokenLanguage, spokenLanguage } from './language.ts'
import { type LogMel, windowOf } from './log-mel.ts'
import { FRAMES_PER_POSITION, type TokenBytes } from './speech-units.ts'
import { logSumExp } from './token-choice.ts'
import { textOf } from './token-text.ts'
import { splitWindow, type WindowFrames } from './window-segments.ts'
import { type Chance, type PromptedSession, type WindowText, writeWindow } from './window-text.ts'
import { segmentWords, type TimedWord, timedWords } from './word-times.ts'

export interface PieceInit {
  readonly mel: LogMel
  readonly bytesOf: TokenBytes
  readonly task: SpeechTask
  /** The language spoken, by its code. Default: what the model hears. */
  readonly language?: string | undefined
  /** Tokens of what was said before, or shows how to write. */
  readonly prompt: readonly number[]
  /** How hot the text is written, try by try, until one is good enough. */
  readonly temperatures: readonly number[]
  /** Whether words are timed. */
  readonly words: boolean
  readonly chance: Chance
}

/** What was said without a pause, as Whisper sees it. */
export interface SpokenSegment {
  /** Frame at which its window begins. */
  readonly seek: number
  /** Seconds from the beginning of the piece. */
  readonly start: number
  readonly end: number
  /** Text, and the timestamps around it. */
  readonly tokens: readonly number[]
  /** Natural logarithm of the probability of each. */
  readonly logprobs: readonly number[]
  readonly temperature: number
  readonly averageLogprob: number
  readonly compressionRatio: number
  readonly noSpeech: number
  readonly words?: readonly TimedWord[]
}

export interface SpokenPiece {
  readonly language: SpokenLanguage
  readonly segments: readonly SpokenSegment[]
}

/** Windows of one piece at the most. One that ends amid a segment is followed by another, and pieces are 30 s long. */
export const PIECE_WINDOWS_MAX = 16

/**
 * Tokens of one piece, all tries included, after which windows are written once: two windows that are written at every
 * temperature to the end. A piece is done in time, or its node would be thought lost, and the same tokens come everywhere.
 */
export const PIECE_TOKENS_MAX = 2688

/**
 * Writes what is said in a piece of sound, as OpenAI's reference does (`transcribe.py`): window by window, each written again
 * at higher temperatures while it repeats itself or the model is unsure, and silence left out.
 *
 * @throws MeshError `invalid_request` for a language or a task that the model does not know, `engine_failed`; the signal's
 *   reason, between two tokens
 */
export async function hearPiece(
  model: Pick<SpeechModel, 'config' | 'hear'>,
  init: PieceInit,
  options: WorkOptions = {}
): Promise<SpokenPiece> {
  const { mel } = init
  const { config } = model
  requireTask(config, init)
  const width = FRAMES_PER_POSITION * config.audioContext
  const segments: SpokenSegment[] = []
  let language = config.multilingual ? undefined : ENGLISH
  let previous: readonly number[] = init.prompt
  let next = 0
  let written = 0
  for (let windows = 1; next < mel.frames; windows++) {
    options.signal?.throwIfAborted()
    const window = { first: next, count: Math.min(width, mel.frames - next) }
    using heard = await model.hear(windowOf(mel, window.first, window.count, width), options)
    using session = heard.open()
    const said: WindowInit = {
      ...init,
      temperatures: written < PIECE_TOKENS_MAX ? init.temperatures : init.temperatures.slice(0, 1),
      config,
      window,
      previous,
      last: windows === PIECE_WINDOWS_MAX,
      until: segments.at(-1)?.end ?? 0
    }
    language ??= await languageOf(session, said, options)
    const heardWindow = await hearWindow(session, language.code, said, options)
    written += heardWindow.written
    segments.push(...heardWindow.segments)
    const tokens = heardWindow.segments.flatMap(segment => segment.tokens)
    previous = heardWindow.context ? [...previous, ...tokens] : []
    next = heardWindow.next
  }
  return { language: language ?? ENGLISH, segments }
}

/** @throws MeshError `invalid_request` for a model that does not translate */
function requireTask({ multilingual }: WhisperConfig, { task }: PieceInit): void {
  if (multilingual || task === 'transcribe') return
  throw new MeshError('invalid_request', 'the model only knows English, and translates nothing', {
    hint: 'Name a multilingual model.',
    details: { param: 'model' }
  })
}

interface WindowInit extends PieceInit {
  readonly config: WhisperConfig
  readonly window: WindowFrames
  readonly previous: readonly number[]
  /** No further window may follow. */
  readonly last: boolean
  /** Seconds at which the last segment before it ended. */
  readonly until: number
}

interface HeardSegments {
  readonly segments: readonly SpokenSegment[]
  /** Frame at which the next window begins. */
  readonly next: number
  /** Whether the next window may read these as what was said before. */
  readonly context: boolean
  /** Tokens that were written, all tries included. */
  readonly written: number
}

async function languageOf(
  session: SpeechSession,
  { config, language }: WindowInit,
  options: WorkOptions
): Promise<SpokenLanguage> {
  if (language !== undefined) return { code: language, probability: 1 }
  const logits = await session.run([config.tokens.startOfTranscript], options)
  const spoken = spokenLanguage(logits, config)
  session.truncate(0)
  return spoken
}

async function hearWindow(
  session: SpeechSession,
  language: string,
  init: WindowInit,
  options: WorkOptions
): Promise<HeardSegments> {
  const { config, window, bytesOf, task, previous, words, until } = init
  const opening = openingTokens(config, previous)
  const logits = await session.run(opening, options)
  const noSpeech = Math.exp((logits[config.tokens.noSpeech] ?? Number.NEGATIVE_INFINITY) - logSumExp(logits))
  const behind = taskTokens(config, language, task)
  const prompted: PromptedSession = {
    session,
    promptCount: opening.length + behind.length,
    logits: behind.length === 0 ? logits : await session.run(behind, options)
  }
  const { text, lastTemperature, written } = await withFallback(prompted, noSpeech, init, options)
  const context = isContext(lastTemperature)
  if (isSilence(text, noSpeech)) return { segments: [], next: window.first + window.count, context: true, written }
  const { segments, next } = splitWindow(text.tokens, window, config.tokens, init.last)
  const textTokens = segments.map(({ tokens }) => tokens.filter(token => token < config.tokens.endOfText))
  const timed = words
    ? segmentWords(
        segments.map(({ start, end }, index) => ({ start, end, textTokens: textTokens[index]?.length ?? 0 })),
        await timedWords(session, textTokens.flat(), { config, bytesOf, language, task, window }, options),
        until
      )
    : undefined
  const spoken = segments.map(
    ({ from, tokens, ...times }, index): SpokenSegment => ({
      seek: window.first,
      ...times,
      ...timed?.[index],
      tokens,
      logprobs: text.logprobs.slice(from, from + tokens.length),
      temperature: text.temperature,
      averageLogprob: text.averageLogprob,
      compressionRatio: text.compressionRatio,
      noSpeech
    })
  )
  const told = spoken.filter(
    ({ start, end }, index) => start < end && textOf(textTokens[index] ?? [], bytesOf).trim() !== ''
  )
  return { segments: told, next, context, written }
}

interface Fallen {
  readonly text: WindowText
  readonly lastTemperature: number
  /** Tokens of all tries. */
  readonly written: number
}

/** The first text that is good enough; where none is, the surest. */
async function withFallback(
  prompted: PromptedSession,
  noSpeech: number,
  { config, bytesOf, temperatures, chance }: WindowInit,
  options: WorkOptions
): Promise<Fallen> {
  const texts: WindowText[] = []
  let written = 0
  for (const temperature of temperatures) {
    const text = await writeWindow(prompted, { config, bytesOf }, { temperature, chance }, options)
    texts.push(text)
    written += text.tokens.length
    if (!needsFallback(text, noSpeech)) return { text, lastTemperature: temperature, written }
  }
  const text = surestOf(texts)
  if (text === undefined) throw new MeshError('internal', 'no temperature was given to write at')
  return { text, lastTemperature: temperatures.at(-1) ?? 0, written }
}
