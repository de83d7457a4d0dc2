import type { OutputConstraint } from '@resultity/interface'

/** The names of a constraint's schemas in the request, for errors. */
export interface SchemaPlaces {
  readonly schema: string
  /** Of the function with each index. */
  readonly parameters: readonly string[]
  /** Whether keywords that cannot be enforced are refused, not relaxed; for functions, the indices of those. */
  readonly strict?: { readonly schema: boolean; readonly functions: readonly number[] }
}

/** A constraint of a request, and what it is called there. */
export interface ConstraintCheck {
  readonly constraint: OutputConstraint
  readonly places: SchemaPlaces
}

/** How much of an answer is there. */
export type AnswerExtent =
  /** The model ended it: it must be complete. */
  | 'whole'
  /** It was cut off: it must be the beginning of one. */
  | 'beginning'

/** A task for the thread that compiles constraints. */
export type ConstraintTask =
  /** Asks which keywords of each are not enforced; answered by a list of `RelaxedKeyword` for each, or the first error. */
  | { readonly type: 'check'; readonly checks: readonly ConstraintCheck[] }
  /** Checks whether the constraint allows a text. The reply is a boolean. */
  | {
      readonly type: 'answer'
      readonly constraint: OutputConstraint
      readonly text: string
      readonly extent: AnswerExtent
    }
