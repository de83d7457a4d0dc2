import { MeshError, previousTokensMax, type WhisperConfig } from '@resultity/interface'

/** What is written of what is heard: its own words, or English. */
export type SpeechTask = 'transcribe' | 'translate'

export interface DecodingPromptInit {
  /** Tokens of what was said before; the last of them count. */
  readonly previous: readonly number[]
  /** A code of the model's languages; ignored by a model that only knows English. */
  readonly language: string
  readonly task: SpeechTask
}

/**
 * The tokens behind {@link openingTokens}: which language is spoken, and what is to be done with it.
 *
 * @throws MeshError `invalid_request` for a language that the model does not know
 */
export function taskTokens(
  { tokens, languages, multilingual }: WhisperConfig,
  language: string,
  task: SpeechTask
): number[] {
  if (!multilingual) return []
  const id = languages[language]
  if (id === undefined) {
    throw new MeshError('invalid_request', `the model knows no language "${language.slice(0, 16)}"`, {
      hint: 'Name one by its ISO-639-1 code, or leave it out.',
      details: { param: 'language' }
    })
  }
  return [id, task === 'translate' ? tokens.translate : tokens.transcribe]
}

/** The tokens of a prompt up to where the transcript begins: behind them the model says whether anybody speaks. */
export function openingTokens(config: WhisperConfig, previous: readonly number[]): number[] {
  const { startOfPrevious, startOfTranscript } = config.tokens
  if (previous.length === 0) return [startOfTranscript]
  return [startOfPrevious, ...previous.slice(-previousTokensMax(config)), startOfTranscript]
}

/** The most tokens of one window's text: half of the context, and no more than are left behind the prompt. */
export function windowTokensMax({ textContext }: WhisperConfig, promptCount: number): number {
  return Math.min(Math.floor(textContext / 2), textContext - promptCount)
}
