import { DEFAULT_HTTP_LIMITS, type HttpLimits } from '@resultity/api-kit'
import { DEFAULT_GENERATION_LIMITS, type GenerationLimits } from '@resultity/generation'
import { DEFAULT_JOB_LIMITS, type JobLimits } from '@resultity/jobs'
import { INLINE_BATCH_MAX, type InlineBatchInit } from '@resultity/openai'
import { DEFAULT_PLACEMENT_LIMITS, type PlacementLimits } from '@resultity/placement'
import { DEFAULT_IMAGE_LIMITS, type ImageLimits } from './image-parts.ts'
import { DEFAULT_SOUND_LIMITS, type SoundLimits } from './sound-parts.ts'

/** Every limit and deadline of a coordinator. All have defaults, in the packages that hold to them. */
export interface CoordinatorLimits
  extends PlacementLimits,
    GenerationLimits,
    JobLimits,
    HttpLimits,
    SoundLimits,
    ImageLimits,
    Pick<InlineBatchInit, 'inlineBatchMax'> {
  /** At most so long is waited for answers to end when the coordinator stops. */
  readonly stopMs: number
}

export const DEFAULT_LIMITS: CoordinatorLimits = {
  ...DEFAULT_PLACEMENT_LIMITS,
  ...DEFAULT_GENERATION_LIMITS,
  ...DEFAULT_JOB_LIMITS,
  ...DEFAULT_HTTP_LIMITS,
  ...DEFAULT_SOUND_LIMITS,
  ...DEFAULT_IMAGE_LIMITS,
  inlineBatchMax: INLINE_BATCH_MAX,
  stopMs: 2000
}

/** Longest context a placement is made for unless the operator says otherwise, in positions. */
export const DEFAULT_CONTEXT_LENGTH_MAX = 4096

/** KV slots of one stage, i.e. answers that one placement makes at once. */
export const DEFAULT_SESSIONS_MAX = 4

/** Positions of one prefill step: small enough that stages overlap and prompts share many, large enough for the matrices. */
export const DEFAULT_PREFILL_CHUNK = 64

/** The same of batch work: a run that others wait for, if they come while it is at work, is half as long. */
export const DEFAULT_BATCH_PREFILL_CHUNK = 32

/** Weights of a hub's model that the coordinator fetches whole. Nodes make the layers of larger ones. */
export const DEFAULT_IMPORT_MAX_BYTES = 2_000_000_000
