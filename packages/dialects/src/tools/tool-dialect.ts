import type { CallForm } from '@resultity/interface'

/** A part of an answer, once it is known what it is. */
export type AnswerPiece =
  | { readonly type: 'content'; readonly text: string }
  /** Call `index` begins. */
  | { readonly type: 'call'; readonly index: number; readonly name: string }
  /** More of the arguments of call `index`, JSON text. */
  | { readonly type: 'arguments'; readonly index: number; readonly text: string }

/** Reads an answer as it comes. Pure: text in, pieces out; however the text is cut, the pieces say the same. */
export interface AnswerReader {
  /** Calls that have begun. */
  readonly calls: number
  /** Everything that is wanted has come. */
  readonly done: boolean
  push(text: string): AnswerPiece[]
  /** The answer is over: what was held back. */
  flush(): AnswerPiece[]
}

export interface AnswerReaderInit {
  /** Functions that may be called; a call of any other is text. */
  readonly names: ReadonlySet<string>
  /** False: nothing but the first call is wanted. */
  readonly parallel: boolean
  /** The value that a JSON text stands for; undefined where it is none, or of a shape that no call has. */
  parseJson(text: string): unknown
  /** Whether an argument must be a text: for families that write texts and other values alike. */
  isText(name: string, argument: string): boolean
}

/** How a family of models writes calls of tools. */
export interface ToolDialect {
  readonly name: string
  /** Names of special tokens that calls are written with, which must be part of the text that is read. */
  readonly markers: readonly string[]
  /**
   * How calls are written where an answer must be calls. Undefined: as Hermes writes them, which is also how calls are written that the
   * notation of the form cannot say.
   */
  readonly form: CallForm | undefined
  /** Whether a chat template that writes a call of `name` so is of this family. */
  writes(text: string, name: string): boolean
  /** Finds calls in an answer of any text. */
  reader(init: AnswerReaderInit): AnswerReader
}
