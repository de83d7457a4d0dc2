import type { SpeechSession, WhisperConfig, WorkOptions } from '@resultity/interface'
import { windowTokensMax } from './decoding-prompt.ts'
import { applyRules } from './logit-rules.ts'
import type { TokenBytes } from './speech-units.ts'
import { drawn, likeliest, logSumExp } from './token-choice.ts'
import { compressionRatio, textOf } from './token-text.ts'

/** Gives the next number from 0 up to 1. */
export type Chance = () => number

/** A window's prompt, run. */
export interface PromptedSession {
  readonly session: SpeechSession
  /** Positions of the prompt. */
  readonly promptCount: number
  /** Behind its last token. */
  readonly logits: Float32Array
}

/** What was written of one window, at one temperature. */
export interface WindowText {
  /** Text and timestamps, without the token that ends them. */
  readonly tokens: readonly number[]
  /** Natural logarithm of the probability of each. */
  readonly logprobs: readonly number[]
  /** Of all of them and the one that ended the text. */
  readonly averageLogprob: number
  readonly compressionRatio: number
  readonly temperature: number
}

/**
 * Writes the text of a window: the likeliest token each time at temperature 0, else a drawn one.
 *
 * @throws MeshError `engine_failed`; the signal's reason, between two tokens
 */
export async function writeWindow(
  { session, promptCount, logits: first }: PromptedSession,
  { config, bytesOf }: { readonly config: WhisperConfig; readonly bytesOf: TokenBytes },
  { temperature, chance }: { readonly temperature: number; readonly chance: Chance },
  options: WorkOptions
): Promise<WindowText> {
  const { endOfText } = config.tokens
  const tokens: number[] = []
  const logprobs: number[] = []
  const max = windowTokensMax(config, promptCount)
  let sum = 0
  session.truncate(promptCount)
  // another try begins with the same
  let logits: Float32Array = first.slice()
  for (;;) {
    options.signal?.throwIfAborted()
    applyRules(logits, tokens, config)
    const token = temperature === 0 ? likeliest(logits) : drawn(logits, temperature, chance())
    const logprob = (logits[token] ?? 0) - logSumExp(logits)
    sum += logprob
    if (token === endOfText) break
    tokens.push(token)
    logprobs.push(logprob)
    if (tokens.length >= max) break
    logits = await session.run([token], options)
  }
  const spoken = textOf(
    tokens.filter(token => token < endOfText),
    bytesOf
  )
  const averageLogprob = sum / (tokens.length + 1)
  return { tokens, logprobs, averageLogprob, compressionRatio: compressionRatio(spoken.trim()), temperature }
}
