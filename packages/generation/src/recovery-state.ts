import { MeshError } from '@resultity/interface'
import type { PromptScores, Sampled } from '@resultity/wire'
import type { RouteResult } from './route-session.ts'

/**
 * - `opening`    the first route is being opened; the client could still be refused
 * - `serving`    a route makes the answer
 * - `recovering` its route was lost; another is sought and opened
 * - `failed`     the answer is given up
 */
export type RecoveryPhase = 'opening' | 'serving' | 'recovering' | 'failed'

/** What to do about the loss of a route. */
export type RecoveryStep =
  | {
      readonly type: 'reopen'
      /** Of the next route. */
      readonly epoch: number
      /** The placement is about to break, or others have its slots: a moment is given to that before another try. */
      readonly awaitsBreak: boolean
      /** All slots of a stage are taken, by another coordinator perhaps: a moment is given to that. */
      readonly awaitsSlot?: true
    }
  | { readonly type: 'give_up'; readonly error: MeshError }

/** How often an answer went on on another route. */
export interface Reroutes {
  readonly count: number
  /**
   * Its nodes compute alike, as far as that is known, and each time the last token that stood came out the same: the answer is
   * the one that an undisturbed route gives.
   */
  readonly exact: boolean
}

export interface RecoveryStateInit {
  /** Routes tried as long as none has opened. */
  readonly attemptsMax: number
}

/** Routes in a row that bring no new token: each costs the prompt and the tokens once more. */
export const EPOCHS_MAX = 5

/** Routes of one answer, whatever they bring. */
export const ROUTES_MAX = 32

/** Routes left because a node was about to leave, which are no fault of the answer; a node may say so again and again. */
export const HANDOVERS_MAX = 64

/** Times that an answer may find a stage full; it waits before each. */
const REFUSALS_MAX = 10_000

/** A node went, is about to, or does not answer: another route goes without it. */
const LOSSES: ReadonlySet<string> = new Set(['node_draining', 'node_lost', 'peer_unreachable', 'unavailable'])

/**
 * Passes by itself: the same placement may do after a moment, or has gone: a stage that was told to release it forbids
 * the sessions that come later. A deadline was moment enough.
 */
const PASSING: ReadonlySet<string> = new Set([
  'deadline_exceeded',
  'resource_exhausted',
  'session_forbidden',
  'session_unknown'
])

/**
 * Decides how an answer outlives its routes: what stands of it, when another route is tried, and when it is given up.
 * Pure: what routes say and what ends them comes in, what the client is told and what to do comes out.
 *
 * Each route has an epoch, counted up from 1. What a route sampled stands: the next runs it and goes on behind it. Prompt
 * scores that were told are dropped when they come again.
 */
export class RecoveryState {
  readonly #attemptsMax: number
  readonly #committed: number[] = []
  #phase: RecoveryPhase = 'opening'
  #epoch = 1
  /** Position of the prompt token whose score is told next. */
  #nextScored = 1
  #reroutes = 0
  #handovers = 0
  #refusals = 0
  #exact = true
  /** What another route need not cure was tried once more. */
  #retriedOnce = false
  /** Routes since the last new token, this one among them. */
  #fruitless = 1

  constructor({ attemptsMax }: RecoveryStateInit) {
    this.#attemptsMax = attemptsMax
  }

  get phase(): RecoveryPhase {
    return this.#phase
  }

  /** Of the route that serves, or is being opened. */
  get epoch(): number {
    return this.#epoch
  }

  /** Tokens that were told, in order. */
  get committed(): readonly number[] {
    return this.#committed
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
      // the token that is compared may come out the same all the same
      this.#exact &&= alike
    }
    if (this.#phase !== 'failed') this.#phase = 'serving'
  }

  /** Takes in what the route says. @returns what of it is new to the client */
  take(result: RouteResult): PromptScores | Sampled | undefined {
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
    const handover = error.code === 'node_draining' && this.#handovers < HANDOVERS_MAX
    if (handover) this.#handovers++
    // a link that fails leaves all nodes to choose from
    const inARow = this.#phase === 'opening' && !isLinkLoss(error) ? this.#attemptsMax : EPOCHS_MAX
    const routes = this.#epoch - this.#handovers - this.#refusals
    const spent = !handover && (this.#fruitless >= inARow || routes >= ROUTES_MAX)
    if (this.#phase === 'failed' || spent || !this.#isCurable(error)) return this.giveUp(toldOf(error))
    if (this.#phase === 'serving') this.#phase = 'recovering'
    this.#epoch++
    if (!handover) this.#fruitless++
    const passing = PASSING.has(error.code) && error.code !== 'deadline_exceeded'
    const breaks = isNamedLoss(error) || (isLinkLoss(error) && error.details.again !== true)
    return { type: 'reopen', epoch: this.#epoch, awaitsBreak: passing || breaks }
  }

  /** Whatever is tried, it ends with `error`. */
  giveUp(error: MeshError): RecoveryStep {
    this.#phase = 'failed'
    return { type: 'give_up', error }
  }

  /** A stage had no slot. Whoever asks again and again has a limit of time. */
  #refused(error: MeshError): RecoveryStep {
    if (this.#phase === 'failed' || this.#refusals >= REFUSALS_MAX) return this.giveUp(error)
    this.#refusals++
    this.#epoch++
    return { type: 'reopen', epoch: this.#epoch, awaitsBreak: false, awaitsSlot: true }
  }

  #isCurable(error: MeshError): boolean {
    if (isNamedLoss(error) || isLinkLoss(error) || PASSING.has(error.code)) return true
    // a route that is stuck and names nobody, an engine that broke off: perhaps not again
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

/** A stage that knows nothing of the session has been told to release it: nothing is wrong with the request. */
function toldOf(error: MeshError): MeshError {
  if (error.code !== 'session_forbidden' && error.code !== 'session_unknown') return error
  return new MeshError('unavailable', `its placement was given up each time that it was tried: ${error.message}`, {
    hint: 'Nodes come and go; send the request again.',
    details: error.details,
    cause: error
  })
}

/** Somebody is known to have gone, so the placement breaks or has broken. */
function isNamedLoss(error: MeshError): boolean {
  return LOSSES.has(error.code) && error.details.peerId !== undefined
}

/** Two nodes are there, and nothing passes between them. Where that hop had stood, it may stand `again` at once. */
function isLinkLoss(error: MeshError): boolean {
  return LOSSES.has(error.code) && error.details.link !== undefined
}
