import type { WorkClass } from '@resultity/interface'
import type { SeededRandom } from '@resultity/test-mesh'
import { PREFILL_CHUNK } from './asked-prompts.ts'
import { LIMITS } from './simulated-coordinator.ts'
import { JOB_LIMITS } from './simulated-jobs.ts'

/** What a client asks for. */
export interface RequestInit {
  /**
   * - `driver`   of the generation driver
   * - `attached` by a job that ends with its client, whose log it follows
   * - `detached` by a job that goes on without its client, and without this coordinator
   */
  readonly via: 'driver' | 'attached' | 'detached'
  /** Whose it is. */
  readonly namespace: string
  readonly prompt: readonly number[]
  readonly tokensMax: number
  readonly workClass: WorkClass
  /** Hangs up after so long; undefined: waits for the end. */
  readonly patienceMs: number | undefined
  /** Takes so long to read a token. */
  readonly readMs: number
}

const PROMPT_MAX = 40
const ANSWER_MAX = 32

const NAMESPACES = ['default', 'other']

/** Texts with which prompts begin, of whatever namespace; their lengths are drawn. */
const BEGINNINGS = 3
const BEGINNING_MAX = 50

export function drawRequest(random: SeededRandom, vocabularySize: number): RequestInit {
  return {
    via: random.pick(['driver', 'driver', 'attached', 'detached'] as const),
    namespace: random.pick(NAMESPACES),
    prompt: drawPrompt(random, vocabularySize),
    tokensMax: random.between(1, ANSWER_MAX),
    workClass: random.chance(0.2) ? 'batch' : 'interactive',
    patienceMs: random.chance(0.15) ? 5000 * random.fraction() : undefined,
    readMs: random.chance(0.2) ? 50 * random.fraction() : 0
  }
}

function drawPrompt(random: SeededRandom, vocabularySize: number): number[] {
  const text = random.below(BEGINNINGS)
  const length = random.chance(0.6) ? random.between(PREFILL_CHUNK, BEGINNING_MAX) : 0
  const beginning = Array.from({ length }, (_, index) => (7 * text + index * (text + 1)) % (vocabularySize - 1))
  const own = Array.from({ length: random.between(1, PROMPT_MAX) }, () => random.below(vocabularySize - 1))
  return [...beginning, ...own]
}

/** Batch work waits that much longer, by `BATCH_PATIENCE` of generation. */
const BATCH_FACTOR = 10

/** A coordinator that crashed is back by then, and has taken up what it had. */
const COORDINATOR_BACK_MS = 90_000

/** No request takes longer on a coordinator that is there: the sum of all that one may wait for. */
export function longestMs(init: RequestInit): number {
  const generatingMs = longestGenerationMs(init)
  if (init.via === 'driver') return generatingMs
  if (init.via === 'attached') return JOB_LIMITS.slotWaitMs + generatingMs + JOB_LIMITS.jobSweepMs
  const attemptMs = generatingMs + JOB_LIMITS.jobRetryMs * 4 ** JOB_LIMITS.jobAttemptsMax
  return JOB_LIMITS.detachedWaitMs + JOB_LIMITS.jobAttemptsMax * attemptMs + COORDINATOR_BACK_MS
}

function longestGenerationMs({ prompt, tokensMax, workClass, readMs }: RequestInit): number {
  const patience = workClass === 'batch' ? BATCH_FACTOR : 1
  const leaseMs = LIMITS.placementWaitMs + LIMITS.slotWaitMs * patience
  const openMs = LIMITS.sessionOpenMs + LIMITS.sessionCloseMs + LIMITS.lossNoticeMs
  const tokensMs = LIMITS.firstTokenMs + prompt.length * LIMITS.promptTokenMs + tokensMax * LIMITS.nextTokenMs
  return LIMITS.routeAttemptsMax * (leaseMs + openMs) + tokensMs * patience + tokensMax * readMs
}
