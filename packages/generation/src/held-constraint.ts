import type { AnswerReasoning } from '@resultity/dialects'
import type { AnswerConstraint, OutputConstraint, PrecededConstraint, SingleConstraint } from '@resultity/interface'

/** How a request holds its answer. */
export interface HeldAnswer {
  readonly constraint?: AnswerConstraint
  readonly reasoning?: AnswerReasoning
}

/** What all tokens are held to: reasoning may come first. */
export function heldConstraint({ constraint, reasoning }: HeldAnswer): OutputConstraint | undefined {
  if (constraint === undefined || reasoning === undefined) return constraint
  const preceded = (answer: SingleConstraint): PrecededConstraint => {
    const { preludes, callPreludes } = reasoning
    return { type: 'preceded', preludes: answer.type === 'tool_calls' ? callPreludes : preludes, answer }
  }
  if (constraint.type !== 'any_of') return preceded(constraint)
  return { type: 'any_of', options: constraint.options.map(preceded) }
}
