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

/** A route is looked at this often in the time that a node has for its answer. */
export const LOOKS_PER_ANSWER = 4

/** Tokens may take this many times their usual interval before the stages are asked: their pace varies. */
const INTERVALS_MAX = 4

/** The share of the latest interval in the mean. */
const LATEST_WEIGHT = 0.2

/** A link counts as silent after this many reports since both of its nodes answered: frames that were held up arrive before. */
const LINK_REPORTS = 2

/** When all nodes answer, the wait before the next probe grows by this factor, up to the maximum. */
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
 * Decides when a route is suspiciously silent and which nodes are gone. Pure: it is told of the route's messages and of each
 * look at it.
 *
 * A route is silent when no token came for half the time that a node has for an answer, or for four times the interval
 * between its tokens. Then this side asks every stage whether its node is there. The answer says nothing about the engine.
 * Looks measure the time for the answer: while this process did not run, it took no look, and it reads the answers that wait in
 * its sockets before it takes the next one. If none of several nodes answers, this side is probably cut off, and nothing is
 * decided.
 *
 * A stage that does not hear its neighbour reports that, again and again. The link is at fault when both nodes have answered
 * a probe since and the reports still go on: a node that stood still acknowledges the waiting frames when it answers.
 */
export class SilenceWatch {
  readonly #init: SilenceWatchInit
  #begun = false
  #heardMs: number
  /** When the route last said something, or all its nodes last answered. */
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

  /** A token or another sign of progress came. */
  heard(nowMs: number): void {
    const intervalMs = nowMs - this.#heardMs
    // the first token takes as long as its prompt does
    if (this.#tokens++ > 0) {
      this.#intervalMs = (this.#intervalMs ?? intervalMs) * (1 - LATEST_WEIGHT) + intervalMs * LATEST_WEIGHT
    }
    this.#heardMs = nowMs
    this.#quietSinceMs = nowMs
    this.#patienceMs = this.#init.answerMs / 2
    this.#asked = undefined
    this.#links.clear()
  }

  /** A stage reports that it hears nothing from the next one. */
  linkReported(from: number, to: number, nowMs: number): SilenceStep | undefined {
    if (nowMs < this.#linksQuietUntilMs) return undefined
    const key = `${from} ${to}`
    // answers to the last probe may still come; before the route is open nobody counts looks
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

  /** The route can only wait for its link: reports of links are ignored for a while. */
  waitOnLink(nowMs: number): void {
    this.#linksQuietUntilMs = nowMs + PATIENCE_MS_MAX
  }

  /** Waits before the next probe: all nodes are there, or the placement cannot do without the one that is gone. */
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
