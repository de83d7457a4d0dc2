import fc from 'fast-check'
import { chatIdeas } from './chat-ideas.ts'
import { connectionIdeas } from './connection-ideas.ts'
import { constraintIdeas } from './constraint-ideas.ts'
import { endpointIdeas } from './endpoint-ideas.ts'
import type { HostileCase, Idea } from './hostile-case.ts'
import { messageIdeas } from './message-ideas.ts'
import { ollamaIdeas } from './ollama-ideas.ts'
import { routeIdeas } from './route-ideas.ts'
import { grownTo, SCALES, type Scale } from './scale.ts'
import { scoreIdeas } from './score-ideas.ts'
import { uploadIdeas } from './upload-ideas.ts'

/** Every attack there is. */
export const ideas: readonly Idea[] = [
  ...chatIdeas,
  ...constraintIdeas,
  ...endpointIdeas,
  ...messageIdeas,
  ...ollamaIdeas,
  ...scoreIdeas,
  ...routeIdeas,
  ...uploadIdeas,
  ...connectionIdeas
]

function casesOf({ name, drafts }: Idea, scale: Scale): fc.Arbitrary<HostileCase> {
  return drafts(scale).map(draft => ({ manner: { kind: 'plain' }, ...draft, idea: name }))
}

/** Cases of every idea, as often as its weight says. */
function casesAt(scale: Scale): fc.Arbitrary<HostileCase> {
  return fc.oneof(...ideas.map(idea => ({ weight: idea.weight, arbitrary: casesOf(idea, scale) })))
}

/** Cases up to each scale: as many of that as of every smaller one. */
const upToScale = SCALES.map((_, scale) => fc.oneof(...SCALES.slice(0, scale + 1).map(casesAt)))

/** Cases of one run lie so far apart from those of the run with the next seed. */
const SEED_STRIDE = 1_000_003

/**
 * Case number `index` of the run with this seed: the same whatever was drawn before, and however many clients share the
 * cases out among themselves.
 */
export function caseAt(seed: number, index: number): HostileCase {
  const arbitrary = upToScale[grownTo(index)]
  const drawn = arbitrary && fc.sample(arbitrary, { seed: (seed * SEED_STRIDE + index) | 0, numRuns: 1 })[0]
  if (drawn === undefined) throw new RangeError(`there is no case ${index}`)
  return drawn
}
