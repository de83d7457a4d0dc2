import { MeshError, type Route, type Scheduler, systemScheduler } from '@resultity/interface'
import type { LastingSession, LastingSessionInit } from '../lasting-session.ts'
import type { Reroutes } from '../recovery-state.ts'
import type { AnswerBeginning, AnswerProgress } from './answer-progress.ts'
import type { EarlierAnswer, ToldScores, ToldToken } from './earlier-answer.ts'

export interface KeptSessionInit extends Pick<AnswerBeginning, 'prefillChunk'> {
  /** That was started. */
  readonly progress: AnswerProgress
  /** What it goes on from. Undefined: it begins. */
  readonly earlier: EarlierAnswer | undefined
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler | undefined
}

/** Earlier tokens that are told at once, before others have their turn on the event loop. */
const TOLD_AT_ONCE = 64

/**
 * An answer that is kept as it is made, and that goes on from what earlier attempts have kept. Its reader is told all of it;
 * its nodes make what is missing.
 *
 * A route is taken only when something is missing: what was kept may be whole, or end at a stop text.
 */
export class KeptSession {
  readonly #session: LastingSession
  readonly #init: KeptSessionInit
  readonly #earlier: readonly (ToldScores | ToldToken)[]
  #told = 0
  #isOpen = false
  #hasBegun: boolean
  #error: MeshError | undefined

  constructor(session: LastingSession, init: KeptSessionInit) {
    this.#session = session
    this.#init = init
    const { earlier } = init
    this.#hasBegun = earlier !== undefined
    this.#earlier = earlier === undefined ? [] : [...(earlier.scores ? [earlier.scores] : []), ...earlier.tokens]
  }

  /** As {@link LastingSession.route}; before this attempt has one, the first of the answer. */
  get route(): Route {
    const { earlier } = this.#init
    return this.#isOpen || earlier === undefined ? this.#session.route : earlier.route
  }

  get kept(): number {
    return this.#session.kept
  }

  get reroutes(): Reroutes {
    return this.#session.reroutes
  }

  /** Tokens that earlier attempts have made. */
  get resumed(): number {
    return this.#init.earlier?.tokens.length ?? 0
  }

  /** As {@link LastingSession.open}, for an answer that begins. */
  async open(): Promise<void> {
    if (this.#init.earlier !== undefined) return
    await this.#session.open()
    this.#isOpen = true
  }

  /** As {@link LastingSession.next}, from the beginning of the answer on. */
  async next(): Promise<ToldScores | ToldToken | undefined> {
    if (this.#error !== undefined) throw this.#error
    const earlier = this.#earlier[this.#told]
    if (earlier !== undefined) {
      this.#told++
      const { scheduler = systemScheduler } = this.#init
      if (this.#told % TOLD_AT_ONCE === 0) await scheduler.sleep(0)
      return earlier
    }
    if (!this.#isOpen) {
      await this.#session.open()
      this.#isOpen = true
    }
    const told = await this.#session.next()
    if (told !== undefined) this.#keep(told)
    return told
  }

  /** As {@link LastingSession.fail}. */
  fail(error: MeshError): void {
    this.#error ??= error
    this.#session.fail(error)
  }

  /** As {@link LastingSession.close}. */
  async close(reason: string): Promise<void> {
    this.#error ??= new MeshError('canceled', reason)
    await this.#session.close(reason)
  }

  #keep(told: ToldScores | ToldToken): void {
    const { progress, prefillChunk } = this.#init
    if (!this.#hasBegun && told.type === 'sampled') {
      const { route, kernels } = this.#session
      progress.begin({ prefillChunk, route, kernels })
      this.#hasBegun = true
    }
    progress.add(told, this.reroutes)
  }
}

/** The session that makes what is missing: its prompt runs in the steps that it had, and nothing is kept of an earlier one. */
export function resumedInit(
  answer: LastingSessionInit['answer'],
  { prefillChunk, tokens, reroutes, kernels }: EarlierAnswer
): Pick<LastingSessionInit, 'answer' | 'resumed'> {
  const committed = tokens.map(({ token }) => token)
  return { answer: { ...answer, prefillChunk }, resumed: { committed, reroutes, kernels } }
}
