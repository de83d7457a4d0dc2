import { type ErrorCode, MeshError, type OutputConstraint } from '@resultity/interface'
import type { TokenVocabulary } from '@resultity/tokenizer'

/** What the thread of constraints is told, without an answer. */
export type ConstraintNotice =
  | { readonly type: 'vocabulary'; readonly vocabulary: number; readonly tokens: TokenVocabulary }
  /** With all grammars over it. */
  | { readonly type: 'forget_vocabulary'; readonly vocabulary: number }
  | { readonly type: 'forget_grammar'; readonly grammar: number }

/** What the thread of constraints is asked, one request after another. */
export type ConstraintRequest =
  /** The state after `tokens`; compiles the grammar, unless it is there. */
  | {
      readonly type: 'open'
      readonly grammar: number
      readonly vocabulary: number
      readonly constraint: OutputConstraint
      readonly tokens: readonly number[]
    }
  /** The state after one more token. */
  | {
      readonly type: 'step'
      readonly grammar: number
      readonly state: number
      readonly token: number
    }

export type ConstraintReply =
  | {
      readonly type: 'state'
      readonly state: number
      /** The answer may end here. */
      readonly complete: boolean
      /** One bit for each token that may come next; undefined when it was sent with the same state before. */
      readonly allowed: Uint32Array<ArrayBuffer> | undefined
      /** Bytes of the grammar with all of its states, about. */
      readonly bytes: number
      /** Steps of work that it took. */
      readonly spent: number
    }
  /** The grammar or the state was forgotten: open it again. */
  | { readonly type: 'unknown' }
  | { readonly type: 'failed'; readonly failure: ConstraintFailure }

export interface ConstraintFailure {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>
}

export function toFailure(error: unknown): ConstraintFailure {
  const { code, message, hint, details } = MeshError.from(error)
  return { code, message, hint, details }
}

export function fromFailure({ code, message, hint, details }: ConstraintFailure): MeshError {
  return new MeshError(code, message, { hint, details })
}

export function tokenNotAllowed(token: number): MeshError {
  return new MeshError('engine_failed', `token ${token} came, which the answer's constraint does not allow`)
}
