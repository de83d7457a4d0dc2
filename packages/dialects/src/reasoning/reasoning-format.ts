import type { Prelude } from '@resultity/interface'

/** What a piece of an answer turned out to be. */
export interface ReadText {
  /** Of the reasoning. */
  readonly reasoning: string
  /** Of the answer. */
  readonly content: string
}

/** Tells reasoning from the answer as it comes. However the text is cut, it is told apart in the same way. */
export interface ReasoningReader {
  /** What comes next belongs to the reasoning, as far as it is known. */
  readonly inside: boolean
  /** What has come last is written around texts and part of none: the head of a message, or what ends one. */
  readonly framing: boolean
  push(text: string): ReadText
  /** The answer is over: what was held back. */
  flush(): ReadText
}

/** How one answer may reason: a family's form, after the prompt that the answer follows. */
export interface AnswerReasoning {
  /** Names of special tokens that it is written with, which must be part of the text that is read. */
  readonly markers: readonly string[]
  /** What may stand before an answer that must have a form. */
  readonly preludes: readonly Prelude[]
  /** What may stand before calls of tools. */
  readonly callPreludes: readonly Prelude[]
  reader(): ReasoningReader
}

/** How a family of models writes its reasoning. */
export interface ReasoningFormat {
  /**
   * @param promptEnd the last characters of the prompt, special tokens by their names
   * @returns undefined where the prompt has ended the reasoning, so that the answer begins at once
   */
  after(promptEnd: string): AnswerReasoning | undefined
}

export const NOTHING: ReadText = { reasoning: '', content: '' }
