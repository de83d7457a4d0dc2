import type { OutputConstraint } from '@resultity/interface'

/** The names of a constraint's schemas in the request, for errors. */
export interface SchemaPlaces {
  readonly schema: string
  /** Of the function with each index. */
  readonly parameters: readonly string[]
}

/** How much of an answer is there. */
export type AnswerExtent =
  /** The model ended it: it must be complete. */
  | 'whole'
  /** It was cut off: it must be the beginning of one. */
  | 'beginning'

/** A task for the thread that compiles constraints. */
export type ConstraintTask =
  /** Whether a constraint can be held to; answered by nothing, or the error. */
  | { readonly type: 'check'; readonly constraint: OutputConstraint; readonly places: SchemaPlaces }
  /** Checks whether the constraint allows a text. The reply is a boolean. */
  | {
      readonly type: 'answer'
      readonly constraint: OutputConstraint
      readonly text: string
      readonly extent: AnswerExtent
    }
