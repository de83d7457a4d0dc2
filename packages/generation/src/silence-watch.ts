/** What to do about a route that says nothing. */
export type SilenceStep =
  | { readonly type: 'probe'; readonly nonce: number }
  /** Indices of stages whose nodes are not there. */
  | { readonly type: 'gone'; readonly stages: readonly number[] }
  /** Indices of two stages whose nodes are there, and nothing passes from one to the other. */
  | { readonly type: 'link'; readonly from: number; readonly to: number }

export interface SilenceWatchInit {
  readonly stageCount: number
  /** Time that a node has for its answer. */
  readonly answerMs: number
  /** A report may come that much later than its token. */
  readonly tellWithinMs: number
}

/** Looks at a route in the time that a node has for an answer. */
export const LOOKS_PER_ANSWER = 4

/** Tokens may be late by this before it is asked: their pace varies. */
const INTERVALS_MAX = 4

/** How much of the mean interval is the latest one. */
const LATEST_WEIGHT = 0.2

/** Reports of a silent link that have to come after both of its nodes have answered: what was held up shows meanwhile. */
const LINK_REPORTS = 2

/** Nodes that answered are asked again that much later each time. */
const PATIENCE_FACTOR = 2
const PATIENCE_MS_MAX = 5000

/** A link that was reported since the route was heard. */
interface ReportedLink {
  /** Nonce of the first probe whose answers count. */
  readonly since: number
  /** Nodes that have answered. */
  readonly there: Set<number>
  /** That came after both of its nodes had answered. */
  reports: number
}

/**
 * Decides when silence is suspect and which nodes are gone. Pure: words of the route and looks at it come in.
 *
 * A route is silent when no token came for half the time that an answer may take, or four times the pace of its tokens.
 * Then every stage is asked whether its node is there, which says nothing of its engine. Time for the answer is counted
 * in looks: when this process did not run, no look was taken, and answers that wait in its sockets are read before
 * the next. Where none of several nodes answers, it is rather this side that is cut off, and nothing is decided.
 *
 * A stage that does not hear its neighbour says so, again and again. It is the link when both nodes have answered since, and
 * the reports go on all the same: a node that stood still acknowledges what waits for it when it answers.
 */
export class SilenceWatch {
  readonly #init: SilenceWatchInit
  #begun = false
  #heardMs: number
  /** Since the route was heard, or all its nodes were. */
  #quietSinceMs: number
  #intervalMs: number | undefined
  #tokens = 0
  #patienceMs: number
  #nonce = 0
  /** Stages that have not answered the last probe. */
  #asked: Set<number> | undefined
  #looks = 0
  readonly #links = new Map<string, ReportedLink>()
  #linksQuietUntilMs = 0

  constructor(init: SilenceWatchInit, nowMs: number) {
    this.#init = init
    this.#heardMs = nowMs
    this.#quietSinceMs = nowMs
    this.#patienceMs = init.answerMs / 2
  }

  /** The route is open: from now on it should say something. */
  begin(nowMs: number): void {
    this.#begun = true
    this.#heardMs = nowMs
    this.#quietSinceMs = nowMs
    this.#asked = undefined
  }

  /** A token or another word of progress came. */
  heard(nowMs: number): void {
    const intervalMs = nowMs - this.#heardMs
    // the first takes as long as its prompt does
    if (this.#tokens++ > 0) {
      this.#intervalMs = (this.#intervalMs ?? intervalMs) * (1 - LATEST_WEIGHT) + intervalMs * LATEST_WEIGHT
    }
    this.#heardMs = nowMs
    this.#quietSinceMs = nowMs
    this.#patienceMs = this.#init.answerMs / 2
    this.#asked = undefined
    this.#links.clear()
  }

  /** A stage says that it hears nothing from the next. */
  linkReported(from: number, to: number, nowMs: number): SilenceStep | undefined {
    if (nowMs < this.#linksQuietUntilMs) return undefined
    const key = `${from} ${to}`
    // an answer that is still out has its time; before the route is open nobody counts that
    const asks = this.#asked === undefined || !this.#begun
    const link = this.#links.get(key) ?? { since: asks ? this.#nonce + 1 : this.#nonce, there: new Set(), reports: 0 }
    this.#links.set(key, link)
    if (!link.there.has(from) || !link.there.has(to)) return asks ? this.#probe() : undefined
    if (++link.reports < LINK_REPORTS) return undefined
    this.#links.clear()
    return { type: 'link', from, to }
  }

  /** A node answered the probe with this nonce. That says nothing of a later probe. */
  answered(stageIndex: number, nonce: number, nowMs: number): void {
    if (nonce > this.#nonce) return
    for (const { since, there } of this.#links.values()) if (nonce >= since) there.add(stageIndex)
    if (nonce < this.#nonce) return
    this.#asked?.delete(stageIndex)
    if (this.#asked?.size === 0) this.waitOn(nowMs)
  }

  /** Call {@link LOOKS_PER_ANSWER} times in `answerMs`. */
  look(nowMs: number): SilenceStep | undefined {
    if (this.#asked !== undefined) return this.#lookForAnswers(nowMs)
    const paceMs = INTERVALS_MAX * (this.#intervalMs ?? 0)
    if (nowMs - this.#quietSinceMs < Math.max(this.#patienceMs, paceMs) + this.#init.tellWithinMs) return undefined
    return this.#probe()
  }

  /** The route can only wait for a link; it is not asked again soon. */
  waitOnLink(nowMs: number): void {
    this.#linksQuietUntilMs = nowMs + PATIENCE_MS_MAX
  }

  /** Nothing comes of asking again soon: all are there, or who is gone cannot be done without. */
  waitOn(nowMs: number): void {
    this.#asked = undefined
    this.#quietSinceMs = nowMs
    this.#patienceMs = Math.min(this.#patienceMs * PATIENCE_FACTOR, PATIENCE_MS_MAX)
  }

  #probe(): SilenceStep {
    this.#asked = new Set(Array.from({ length: this.#init.stageCount }, (_, index) => index))
    this.#looks = 0
    return { type: 'probe', nonce: ++this.#nonce }
  }

  #lookForAnswers(nowMs: number): SilenceStep | undefined {
    if (++this.#looks < LOOKS_PER_ANSWER) return undefined
    const gone = [...(this.#asked ?? [])]
    if (gone.length === this.#init.stageCount && gone.length > 1) {
      this.waitOn(nowMs)
      return undefined
    }
    return { type: 'gone', stages: gone }
  }
}
