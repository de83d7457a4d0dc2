import { MeshError } from '@resultity/interface'
import type { PromptScores, Sampled } from '@resultity/wire'
import { leavesCaches } from './resume-plan.ts'
import type { RouteResult } from './route-session.ts'

/**
 * - `opening`    the first route is being opened; the client could still be refused
 * - `serving`    a route makes the answer
 * - `recovering` its route was lost; another is sought and opened
 * - `failed`     the answer was given up
 */
export type RecoveryPhase = 'opening' | 'serving' | 'recovering' | 'failed'

/** What to do about the loss of a route. */
export type RecoveryStep =
  | {
      readonly type: 'reopen'
      /** Of the next route. */
      readonly epoch: number
      /** The placement is about to break: the next try waits a moment for that. */
      readonly awaitsBreak: boolean
      /** All slots of a stage are taken, perhaps by another coordinator: the next try waits a moment. */
      readonly awaitsSlot?: true
    }
  | { readonly type: 'give_up'; readonly error: MeshError }

/** How often an answer moved to another route. */
export interface Reroutes {
  readonly count: number
  /**
   * The answer is the one that an undisturbed route gives: its nodes compute alike, as far as that is known, and each time
   * the last committed token came out the same.
   */
  readonly exact: boolean
}

export interface RecoveryStateInit {
  /** How many routes are tried before the first one opens. */
  readonly attemptsMax: number
  /** What the client was told before, when another process has begun the answer. Default: it has not begun. */
  readonly resumed?: ResumedAnswer | undefined
}

/** An answer that went on up to here without this process. */
export interface ResumedAnswer {
  readonly committed: readonly number[]
  readonly reroutes: Reroutes
}

/** Most routes in a row that bring no new token: each one runs the prompt and the tokens once more. */
export const EPOCHS_MAX = 5

/** Most routes of one answer. */
export const ROUTES_MAX = 32

/** Most routes that one answer leaves because a node is about to leave. That is no fault of the answer, but may happen often. */
export const HANDOVERS_MAX = 64

/** How often an answer may find a stage full; it waits before each try. */
const REFUSALS_MAX = 10_000

/** A node left, is about to leave, or does not answer: another route does without it. */
const LOSSES: ReadonlySet<string> = new Set(['node_draining', 'node_lost', 'peer_unreachable', 'unavailable'])

/**
 * Errors that pass by themselves. After a moment the same placement may do, or it is gone: a stage that was told to release
 * it forbids later sessions. After a deadline no further wait is needed.
 */
const PASSING: ReadonlySet<string> = new Set([
  'deadline_exceeded',
  'resource_exhausted',
  'session_forbidden',
  'session_unknown'
])

/**
 * Decides how an answer outlives its routes: which tokens are committed, when to try another route, and when to give up.
 * Pure: it takes in what routes say and what ends them, and returns what to tell the client and what to do.
 *
 * Each route has an epoch, counted from 1. A sampled token is committed: the next route runs it and goes on after it. Prompt
 * scores that the client was told already are dropped when they come again.
 */
export class RecoveryState {
  readonly #attemptsMax: number
  readonly #committed: number[]
  #phase: RecoveryPhase
  #epoch = 1
  /** Position of the prompt token whose score is told next. */
  #nextScored = 1
  #reroutes: number
  #handovers = 0
  #refusals = 0
  #exact: boolean
  /** An error that another route need not cure has had its one more try. */
  #retriedOnce = false
  /** Routes since the last new token, this one among them. */
  #fruitless = 1
  /** The stages of the next route may go on with what they have. */
  #keeps = false
  /** The answer went on, on the route that serves. */
  #wentOn = false

  constructor({ attemptsMax, resumed }: RecoveryStateInit) {
    this.#attemptsMax = attemptsMax
    this.#phase = resumed === undefined ? 'opening' : 'recovering'
    this.#committed = [...(resumed?.committed ?? [])]
    const { count, exact } = resumed?.reroutes ?? { count: 0, exact: true }
    this.#reroutes = count
    this.#exact = exact
  }

  get phase(): RecoveryPhase {
    return this.#phase
  }

  /** The epoch of the route that serves, or is being opened. */
  get epoch(): number {
    return this.#epoch
  }

  /** The tokens that the client was told, in order. */
  get committed(): readonly number[] {
    return this.#committed
  }

  /** Whether stages that were part of the last route may keep what they have computed. */
  get keeps(): boolean {
    return this.#keeps
  }

  get reroutes(): Reroutes {
    return { count: this.#reroutes, exact: this.#exact }
  }

  /**
   * All stages of the route have the session.
   * @param alike whether they compute like those that made the answer's beginning, as far as it is known
   */
  opened(alike = true): void {
    if (this.#phase === 'recovering') {
      this.#reroutes++
      // unlike nodes may still give the same token where it is compared
      this.#exact &&= alike
    }
    if (this.#phase !== 'failed') this.#phase = 'serving'
  }

  /** Takes in what the route says. @returns what of it is new to the client */
  take(result: RouteResult): PromptScores | Sampled | undefined {
    this.#wentOn = true
    if (result.type === 'replayed') {
      this.#exact &&= result.exact
      return undefined
    }
    if (result.type === 'scores') return this.#takeScores(result)
    this.#committed.push(result.token)
    this.#fruitless = 1
    return result
  }

  /** The route has ended with `error`, or could not be opened. */
  lost(error: MeshError): RecoveryStep {
    if (error.code === 'resource_exhausted' && this.#phase !== 'serving') return this.#refused(error)
    const unfit = this.#isUnfit(error)
    this.#keeps = leavesCaches(error) && !unfit
    this.#wentOn = false
    const handover = error.code === 'node_draining' && this.#handovers < HANDOVERS_MAX
    if (handover) this.#handovers++
    // after the loss of a link all nodes are still there to choose from
    const inARow = this.#phase === 'opening' && !isLinkLoss(error) ? this.#attemptsMax : EPOCHS_MAX
    const routes = this.#epoch - this.#handovers - this.#refusals
    const spent = !handover && (this.#fruitless >= inARow || routes >= ROUTES_MAX)
    if (this.#phase === 'failed' || spent || !(unfit || this.#isCurable(error))) return this.giveUp(toldOf(error))
    if (this.#phase === 'serving') this.#phase = 'recovering'
    this.#epoch++
    if (!handover) this.#fruitless++
    const passing = PASSING.has(error.code) && error.code !== 'deadline_exceeded'
    const breaks = isNamedLoss(error) || (isLinkLoss(error) && error.details.again !== true)
    return { type: 'reopen', epoch: this.#epoch, awaitsBreak: passing || breaks }
  }

  /** Ends the answer with `error`. */
  giveUp(error: MeshError): RecoveryStep {
    this.#phase = 'failed'
    return { type: 'give_up', error }
  }

  /** A stage had no slot. The caller limits how long to ask again. */
  #refused(error: MeshError): RecoveryStep {
    if (this.#phase === 'failed' || this.#refusals >= REFUSALS_MAX) return this.giveUp(error)
    this.#refusals++
    this.#epoch++
    return { type: 'reopen', epoch: this.#epoch, awaitsBreak: false, awaitsSlot: true }
  }

  /** What stages said that they had kept did not do, as far as anybody knows: the answer can go on without it. */
  #isUnfit(error: MeshError): boolean {
    return this.#keeps && !this.#wentOn && !isNamedLoss(error) && !isLinkLoss(error) && !PASSING.has(error.code)
  }

  #isCurable(error: MeshError): boolean {
    if (isNamedLoss(error) || isLinkLoss(error) || PASSING.has(error.code)) return true
    // a stuck route that names no node, or an engine that broke off, may not happen again
    const once = LOSSES.has(error.code) || error.code === 'engine_failed'
    if (!once || this.#retriedOnce) return false
    this.#retriedOnce = true
    return true
  }

  #takeScores(scores: PromptScores): PromptScores | undefined {
    const told = this.#nextScored - scores.position
    const end = scores.position + scores.scores.length
    if (end <= this.#nextScored) return undefined
    this.#nextScored = end
    return told <= 0 ? scores : { ...scores, position: scores.position + told, scores: scores.scores.slice(told) }
  }
}

/** A stage that does not know the session was told to release its placement: nothing is wrong with the request. */
function toldOf(error: MeshError): MeshError {
  if (error.code !== 'session_forbidden' && error.code !== 'session_unknown') return error
  return new MeshError('unavailable', `its placement was given up each time that it was tried: ${error.message}`, {
    hint: 'Nodes come and go; send the request again.',
    details: error.details,
    cause: error
  })
}

/** Whether a node is known to be gone, so that the placement breaks or has broken. */
function isNamedLoss(error: MeshError): boolean {
  return LOSSES.has(error.code) && error.details.peerId !== undefined
}

/** Whether two nodes are there and nothing passes between them. A hop that had worked may work `again` at once. */
function isLinkLoss(error: MeshError): boolean {
  return LOSSES.has(error.code) && error.details.link !== undefined
}
