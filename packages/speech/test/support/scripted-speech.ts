import type { HeardWindow, SpeechModel, SpeechSession, WhisperConfig } from '@resultity/interface'

const texts = [' a', ' b', ' c', '.', ' é', '!', ' "', '"', 'x', ' the']
const bytes = texts.map(text => new TextEncoder().encode(text))

/** A Whisper with ten texts, windows of 3 s and two languages. */
export const config: WhisperConfig = {
  melBins: 2,
  audioContext: 150,
  textContext: 64,
  hiddenSize: 4,
  encoderLayerCount: 1,
  encoderHeadCount: 1,
  encoderFeedForwardSize: 4,
  decoderLayerCount: 1,
  decoderHeadCount: 2,
  decoderFeedForwardSize: 4,
  vocabularySize: 181,
  multilingual: true,
  tokens: {
    endOfText: 20,
    startOfTranscript: 21,
    translate: 24,
    transcribe: 25,
    startOfPrevious: 26,
    noSpeech: 27,
    noTimestamps: 28,
    firstTimestamp: 30
  },
  languages: { en: 22, de: 23 },
  suppress: [9],
  suppressAtBegin: [1, 20],
  alignmentHeads: [[0, 0]]
}

export const bytesOf = (token: number): Uint8Array | undefined => bytes[token]

/** The timestamp so many seconds behind a window's beginning. */
export function at(seconds: number): number {
  return config.tokens.firstTimestamp + Math.round(seconds / 0.02)
}

/** What a session has run so far, and of which window: 0 is the first that was heard. */
export interface Asked {
  readonly window: number
  readonly tokens: readonly number[]
}

/** Logits that stand out; the others are {@link LOW}. */
export type Script = (asked: Asked) => Readonly<Record<number, number>>

export const LOW = -20

/** A model whose logits are written down. */
export class ScriptedSpeech implements Pick<SpeechModel, 'config' | 'hear'> {
  readonly config: WhisperConfig
  readonly #script: Script
  /** The windows that were heard. */
  readonly heard: Float32Array[] = []
  open = 0
  /** What each run of each session gave it. */
  readonly runs: number[][] = []
  readonly aligned: number[][] = []

  constructor(script: Script, changes: Partial<WhisperConfig> = {}) {
    this.config = { ...config, ...changes }
    this.#script = script
  }

  async hear(mel: Float32Array): Promise<HeardWindow> {
    const window = this.heard.push(mel) - 1
    this.open++
    return {
      open: () => this.#session(window),
      [Symbol.dispose]: () => {
        this.open--
      }
    }
  }

  #session(window: number): SpeechSession {
    const tokens: number[] = []
    this.open++
    const { vocabularySize, audioContext } = this.config
    return {
      get position() {
        return tokens.length
      },
      run: async next => {
        this.runs.push([...next])
        tokens.push(...next)
        const logits = new Float32Array(vocabularySize).fill(LOW)
        for (const [token, logit] of Object.entries(this.#script({ window, tokens }))) logits[Number(token)] = logit
        return logits
      },
      truncate: position => {
        tokens.length = position
      },
      align: async read => {
        this.aligned.push([...read])
        const weights = new Float32Array(read.length * audioContext)
        // each token is heard 10 positions, 0.2 s, behind the one before it
        for (const [index] of read.entries())
          weights.fill(1, index * audioContext + 10 * index, index * audioContext + 10 * index + 10)
        return weights
      },
      [Symbol.dispose]: () => {
        this.open--
      }
    }
  }
}

/** Says each of `said` in turn, token by token, behind a prompt that ends with the task; one for each window. */
export function saying(...said: readonly (readonly number[])[]): Script {
  return ({ window, tokens }) => {
    const task = tokens.findLastIndex(token => token === config.tokens.transcribe || token === config.tokens.translate)
    const next =
      task === -1 ? config.languages.en : (said[window]?.[tokens.length - task - 1] ?? config.tokens.endOfText)
    return { [next ?? 0]: 0 }
  }
}
