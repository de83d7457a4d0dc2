/**
 * How long a step waits for those that it ran with last, counted from the one that came last. Members of a group return one
 * after another, as they are sampled; a run less saves them several times as much. A step that ran alone waits for nobody.
 */
const COMPANY_MS = 0.3

/**
 * Who is about to join the steps that wait: whoever ran together comes back together, as the next step of each follows from
 * the last. A step is known by its session, as long as that is open.
 */
export class Company<Step extends object> {
  /** Whether the results of a run lead to the next steps within the same turn of the event loop. */
  readonly #feedsItself: boolean
  /** Of each session: those of its last run that have not come back. */
  readonly #groups = new Map<Step, Set<Step>>()
  /** Those whose results are being handed on. */
  #handedOn: Set<Step> | undefined
  #cameMs = Number.NEGATIVE_INFINITY

  constructor(feedsItself: boolean) {
    this.#feedsItself = feedsItself
  }

  /** These ran, and have their results now. */
  ran(steps: readonly Step[]): void {
    const group = new Set(steps)
    for (const step of steps) this.#groups.set(step, group)
    this.#handedOn = group
  }

  /** The next step of a session waits. */
  came(step: Step, nowMs: number): void {
    this.#groups.get(step)?.delete(step)
    this.#cameMs = nowMs
  }

  /** The session is over. */
  left(step: Step): void {
    this.#groups.get(step)?.delete(step)
    this.#groups.delete(step)
  }

  /** The event loop has turned: what follows from the results at once has come. */
  turned(): void {
    this.#handedOn = undefined
  }

  /** Until when `waiting` wait for others. */
  untilMs(waiting: readonly Step[]): number {
    if (this.#feedsItself) {
      return (this.#handedOn?.size ?? 0) > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    }
    const due = waiting.some(step => (this.#groups.get(step)?.size ?? 0) > 0)
    return due ? this.#cameMs + COMPANY_MS : Number.NEGATIVE_INFINITY
  }
}
