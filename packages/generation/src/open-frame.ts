import type { Sampling } from '@resultity/interface'
import type { OpenSession } from '@resultity/wire'
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
    prefillChunk: init.promptLogprobs ? 1 : init.prefillChunk,
    endTokens: [...endTokens],
    sampling: last ? sampling : withoutBias(sampling),
    leaseMs: limits.sessionLeaseMs,
    logprobs,
    topLogprobs,
    workClass,
    ...(init.fence === undefined ? {} : { fence: init.fence }),
    ...(init.prefix === undefined ? {} : { prefix: init.prefix }),
    ...(index === 0 || last ? committedOf(init) : {}),
    ...(last ? lastStageFields(init, limits) : {})
  }
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
