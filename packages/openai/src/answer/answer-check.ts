import {
  type AnswerExtent,
  type Constraints,
  type GenerationEvent,
  type GenerationRequest,
  heldConstraint
} from '@resultity/generation'
import { type AbortOptions, formatRange, MeshError, type OutputConstraint, type Route } from '@resultity/interface'

/**
 * Gathers an answer that was to be held to a constraint and compares it, so that a node that samples what it likes does not
 * pass for one that keeps to it. Of an answer without a constraint nothing is kept.
 */
export class AnswerCheck {
  readonly #constraints: Constraints
  readonly #constraint: OutputConstraint | undefined
  #text = ''

  constructor(constraints: Constraints, request: GenerationRequest) {
    this.#constraints = constraints
    this.#constraint = heldConstraint(request)
  }

  /** Checks all that the model wrote. Which of it is reasoning, and where white space behind that belongs, is only our reading of it. */
  push({ text, written = text }: GenerationEvent & { readonly written?: string }): void {
    if (this.#constraint !== undefined) this.#text += written
  }

  /**
   * The answer is over.
   * @throws MeshError `protocol_violation` naming the node that sampled it, when the constraint does not allow it
   */
  async end(extent: AnswerExtent, { stages }: Route, options: AbortOptions): Promise<void> {
    if (this.#constraint === undefined) return
    if (await this.#constraints.allows(this.#constraint, this.#text, extent, options)) return
    const last = stages.at(-1)
    const node = last === undefined ? 'the route' : `node ${last.peerId} with layers ${formatRange(last.range)}`
    throw new MeshError('protocol_violation', `${node} gave an answer that breaks the constraint of its request`, {
      hint: 'Send the request again; leave the node out if it happens again: it is faulty, or lies.',
      details: { peerId: last?.peerId }
    })
  }
}
