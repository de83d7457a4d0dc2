import { createHash } from 'node:crypto'
import type { RelaxedKeyword } from '@resultity/grammar'
import {
  type AbortOptions,
  cacheWeight,
  MeshError,
  type OutputConstraint,
  TaskOverrun,
  TaskThread
} from '@resultity/interface'
import { LRUCache } from 'lru-cache'
import type { AnswerExtent, ConstraintCheck, ConstraintTask, SchemaPlaces } from './constraint-messages.ts'

export interface ConstraintsInit {
  /** Time to check whether one request's schemas can be enforced. */
  readonly constraintCheckMs: number
  /** Checking one answer against its constraint. */
  readonly answerCheckMs: number
  /** Checks that wait or run; more are refused. */
  readonly constraintChecksMax: number
}

/** What became of a check. */
type Outcome =
  | { readonly type: 'held'; readonly relaxed: readonly (readonly RelaxedKeyword[])[] }
  | ({ readonly type: 'refused' } & Pick<MeshError, 'message' | 'hint' | 'details'>)

/** Outcomes that are remembered, in bytes: they are made of what clients send. The least used is forgotten first. */
const OUTCOME_CACHE_BYTES = 8 * 1024 * 1024

const IDLE_MS = 60_000

/** The largest schemas that can be enforced take some 100. */
const HEAP_MIB = 512

/**
 * Compiles the constraints of clients away from the event loop, with a time limit. One thread serves new requests and
 * another one answers, so that answers do not wait for new requests.
 */
export class Constraints implements AsyncDisposable {
  readonly #init: ConstraintsInit
  readonly #requests: TaskThread
  readonly #answers: TaskThread
  readonly #outcomes = new LRUCache<string, { readonly outcome: Outcome }>({
    maxSize: OUTCOME_CACHE_BYTES,
    sizeCalculation: ({ outcome }, key) => cacheWeight([key, outcome])
  })
  readonly #underWay = new Map<string, Promise<Outcome>>()

  constructor(init: ConstraintsInit) {
    this.#init = init
    this.#requests = thread('schemas', init.constraintChecksMax)
    this.#answers = thread('constrained answers', init.constraintChecksMax)
  }

  /**
   * The keywords of a constraint that are not enforced.
   *
   * @param places names of the constraint's schemas in the request, and which of them must be enforced in full
   * @throws MeshError `invalid_request` naming the place, if it is not a constraint, must be enforced and cannot be, or
   * takes too long to check; `resource_exhausted`
   */
  async check(constraint: OutputConstraint, places: SchemaPlaces): Promise<readonly RelaxedKeyword[]> {
    const [relaxed = []] = await this.checkAll([{ constraint, places }])
    return relaxed
  }

  /**
   * The keywords that are not enforced, of each of a request's constraints. They are compiled together: all may take what one may.
   *
   * @throws MeshError as {@link check} does, for the first that is refused
   */
  async checkAll(checks: readonly ConstraintCheck[]): Promise<readonly (readonly RelaxedKeyword[])[]> {
    if (checks.length === 0) return []
    const key = createHash('sha256').update(JSON.stringify(checks)).digest('base64')
    const outcome = this.#outcomes.get(key)?.outcome ?? (await this.#shared(key, checks))
    if (outcome.type === 'held') return outcome.relaxed
    const { message, hint, details } = outcome
    throw new MeshError('invalid_request', message, { hint, details })
  }

  /**
   * Whether a constraint allows an answer.
   * @throws MeshError `deadline_exceeded` when that takes too long; `resource_exhausted`; the signal's reason
   */
  async allows(
    constraint: OutputConstraint,
    text: string,
    extent: AnswerExtent,
    options: AbortOptions = {}
  ): Promise<boolean> {
    const task: ConstraintTask = { type: 'answer', constraint, text, extent }
    const { answerCheckMs: deadlineMs } = this.#init
    const overrun = (cause: TaskOverrun): MeshError =>
      new MeshError('deadline_exceeded', `checking the answer took longer than ${deadlineMs} ms`, {
        hint: 'Ask for it by a simpler schema.',
        cause
      })
    return await this.#answers.run<boolean>(task, { ...options, deadlineMs, overrun })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#requests[Symbol.asyncDispose](), this.#answers[Symbol.asyncDispose]()])
  }

  /** The same that comes again while it is checked is checked once. */
  async #shared(key: string, checks: readonly ConstraintCheck[]): Promise<Outcome> {
    const known = this.#underWay.get(key)
    if (known !== undefined) return await known
    const checking = this.#outcome(checks)
    this.#underWay.set(key, checking)
    try {
      const outcome = await checking
      this.#outcomes.set(key, { outcome })
      return outcome
    } finally {
      this.#underWay.delete(key)
    }
  }

  /** @throws MeshError an error that the constraint did not cause */
  async #outcome(checks: readonly ConstraintCheck[]): Promise<Outcome> {
    const task: ConstraintTask = { type: 'check', checks }
    const { constraintCheckMs: deadlineMs } = this.#init
    try {
      const relaxed = await this.#requests.run<readonly (readonly RelaxedKeyword[])[]>(task, { deadlineMs })
      return { type: 'held', relaxed }
    } catch (error) {
      if (error instanceof TaskOverrun) return overrun(error, checks[0]?.places.schema ?? '', deadlineMs)
      const known = MeshError.from(error)
      const { message, hint, details } = known
      if (known.code === 'invalid_request') return { type: 'refused', message, hint, details }
      throw known
    }
  }
}

function thread(tasks: string, tasksMax: number): TaskThread {
  const url = new URL('./constraint-check-worker.js', import.meta.url)
  return new TaskThread({ url, tasksMax, idleMs: IDLE_MS, heapMib: HEAP_MIB, tasks })
}

function overrun({ limit, progress }: TaskOverrun, first: string, deadlineMs: number): Outcome {
  const param = progress ?? first
  const what = limit === 'time' ? `more than ${deadlineMs} ms` : 'too much memory'
  return {
    type: 'refused',
    message: `${param} takes ${what} to be compiled`,
    hint: 'Send a simpler schema: fewer alternatives, shorter patterns, smaller counts.',
    details: { param }
  }
}
