import type { Sampling } from '@resultity/interface'
import type { OpenSession } from '@resultity/wire'
import { keepLimit, type ResumeShape } from './resume-plan.ts'
import type { RouteSessionInit } from './route-session-init.ts'
import type { NodeAddress } from './stage-control.ts'

/** The neighbours of a stage in the ring; in a route of one stage itself. */
export interface StageNeighbours {
  readonly previous: NodeAddress | undefined
  readonly next: NodeAddress | undefined
}

export interface OpenFrameLimits {
  readonly sessionLeaseMs: number
  readonly tellWithinMs: number
}

/** What the stage with this index in the route is told of a session. */
export function openFrame(
  init: RouteSessionInit,
  index: number,
  { previous, next }: StageNeighbours,
  limits: OpenFrameLimits
): OpenSession {
  const { route, session, epoch, prompt, tokensMax, endTokens, sampling, logprobs, topLogprobs, workClass } = init
  const { stages } = route
  const alone = stages.length === 1
  const last = index === stages.length - 1
  const keepPositions = keepPositionsOf(init)
  return {
    type: 'open',
    session,
    epoch,
    placementId: route.placementId,
    range: stages[index]?.range ?? { first: 0, end: 0 },
    next: alone ? undefined : next,
    previousPeer: alone ? '' : (previous?.peerId ?? ''),
    promptCount: prompt.length,
    tokensMax,
    prefillChunk: prefillChunkOf(init),
    endTokens: [...endTokens],
    sampling: last ? sampling : withoutBias(sampling),
    leaseMs: limits.sessionLeaseMs,
    logprobs,
    topLogprobs,
    workClass,
    ...(init.fence === undefined ? {} : { fence: init.fence }),
    ...(init.prefix === undefined ? {} : { prefix: init.prefix }),
    ...(alone ? {} : { parks: true }),
    ...(keepPositions > 0 ? { keepPositions } : {}),
    ...(index === 0 || last ? committedOf(init) : {}),
    ...(last ? lastStageFields(init, limits) : {})
  }
}

/** A prompt that is scored has logits at each position. */
function prefillChunkOf({ promptLogprobs, prefillChunk }: RouteSessionInit): number {
  return promptLogprobs ? 1 : prefillChunk
}

export function resumeShapeOf(init: RouteSessionInit): ResumeShape {
  const { prompt, committed } = init
  return { promptCount: prompt.length, committedCount: committed.length, prefillChunk: prefillChunkOf(init) }
}

/** Positions that stages may keep of the last route. A prompt that is still to be scored runs from its beginning. */
export function keepPositionsOf(init: RouteSessionInit): number {
  const { keeps = false, route, promptLogprobs, committed } = init
  const scored = promptLogprobs && committed.length === 0
  return keeps && route.stages.length > 1 && !scored ? keepLimit(resumeShapeOf(init)) : 0
}

function committedOf({ committed }: RouteSessionInit): Pick<OpenSession, 'committed'> {
  return committed.length === 0 ? {} : { committed }
}

/** Of up to 65,536 tokens, for the stage that samples alone. */
function withoutBias({ logitBias: _, ...sampling }: Sampling): Sampling {
  return sampling
}

/** What only the stage that samples is told. */
function lastStageFields(
  { constraint, prompt, committed, sampling, promptLogprobs, tokensMin, watched }: RouteSessionInit,
  { tellWithinMs }: OpenFrameLimits
): Pick<OpenSession, 'constraint' | 'promptTokens' | 'promptLogprobs' | 'tellWithinMs' | 'tokensMin'> {
  // a prompt is scored before the first token
  const scored = promptLogprobs && committed.length === 0
  const needsPrompt = scored || sampling.repetitionPenalty !== undefined
  return {
    ...(constraint === undefined ? {} : { constraint }),
    ...(needsPrompt ? { promptTokens: prompt } : {}),
    ...(scored ? { promptLogprobs: true } : {}),
    ...(tokensMin === 0 ? {} : { tokensMin }),
    ...(watched ? {} : { tellWithinMs })
  }
}
