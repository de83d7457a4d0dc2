import { type Transferable, Worker } from 'node:worker_threads'
import type { AbortOptions } from './abort-options.ts'
import { type ErrorCode, MeshError } from './errors.ts'
import type { Scheduler, Timer } from './scheduler.ts'
import { systemScheduler } from './system-scheduler.ts'

/** An error as it travels between threads. */
export interface TaskFailure {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>
}

/** What a thread says of the task it works on. */
export type TaskReply =
  | { readonly type: 'begun' }
  | { readonly type: 'progress'; readonly progress: string }
  | { readonly type: 'result'; readonly result: unknown }
  | { readonly type: 'failure'; readonly failure: TaskFailure }

export interface TaskThreadInit {
  /** The thread's file; it calls `serveTasks`. */
  readonly url: URL
  readonly workerData?: unknown
  /** Tasks that wait or run; more are refused. */
  readonly tasksMax: number
  /** The thread ends after so long without a task. Default a minute. */
  readonly idleMs?: number
  /** Heap of the thread: a task that needs more ends the thread and not the process. Default 1024. */
  readonly heapMib?: number
  /** The tasks in errors, such as "schemas". */
  readonly tasks: string
  /** Measures deadlines. Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface TaskOptions extends AbortOptions {
  /** From the task's own begin; the time that it waits for others, or for the thread to start, does not count. */
  readonly deadlineMs: number
  /** Buffers of the input that are handed over rather than copied: the caller has them no more. Default none. */
  readonly transfer?: readonly Transferable[]
  /**
   * Whether a task that runs is finished although its signal aborts, unheard: for short ones, where a new thread for those that
   * wait would cost more. Default false: the thread is ended.
   */
  readonly finishes?: boolean
  /** The error of a task that takes too much, in the caller's terms. Default: the {@link TaskOverrun} itself. */
  readonly overrun?: (overrun: TaskOverrun) => Error
}

/** Left to itself a thread's young generation grows to 128 MB under load and stays so. */
const YOUNG_MIB = 24

const IDLE_MS = 60_000

/** For a thread to start and to begin its first task, on a busy machine. */
const START_MS = 60_000

interface Task {
  readonly input: unknown
  readonly deadlineMs: number
  readonly transfer: readonly Transferable[]
  readonly finishes: boolean
  readonly overrun: (overrun: TaskOverrun) => Error
  readonly outcome: PromiseWithResolvers<unknown>
  progress?: string
}

/** A task took more time or memory than it may: its thread was ended, and other tasks go on in a new one. */
export class TaskOverrun extends Error {
  override readonly name = 'TaskOverrun'
  readonly limit: 'time' | 'memory'
  /** What the task said last of where it is. */
  readonly progress: string | undefined

  constructor(limit: 'time' | 'memory', progress: string | undefined) {
    super(limit === 'time' ? 'the task took too long' : 'the task needs too much memory')
    this.limit = limit
    this.progress = progress
  }
}

/**
 * Does work whose size others decide away from the event loop: in one thread, one task after the other, each with a
 * deadline. The thread starts with the first task, ends when idle, and does not keep the process alive.
 */
export class TaskThread implements AsyncDisposable {
  readonly #init: TaskThreadInit
  readonly #scheduler: Scheduler
  readonly #waiting: Task[] = []
  #worker: Worker | undefined
  #running: Task | undefined
  #deadline: Timer | undefined
  #idle: Timer | undefined
  #disposed = false

  constructor(init: TaskThreadInit) {
    this.#init = init
    this.#scheduler = init.scheduler ?? systemScheduler
  }

  /** Tasks that wait or run. */
  get tasks(): number {
    return this.#waiting.length + (this.#running === undefined ? 0 : 1)
  }

  /**
   * @param input what structured cloning can copy
   * @throws what `overrun` makes of a TaskOverrun; MeshError what the task throws; `resource_exhausted` when too many wait; `unavailable`; the
   * signal's reason, which ends a task that runs unless it `finishes`
   */
  async run<Result>(input: unknown, options: TaskOptions): Promise<Result> {
    const { deadlineMs, transfer = [], finishes = false, overrun = itself, signal } = options
    signal?.throwIfAborted()
    if (this.#disposed) throw this.#gone()
    const { tasksMax, tasks } = this.#init
    if (this.tasks >= tasksMax) {
      throw new MeshError('resource_exhausted', `${tasksMax} ${tasks} wait to be read`, {
        hint: 'Try again in some seconds.'
      })
    }
    const task: Task = { input, deadlineMs, transfer, finishes, overrun, outcome: Promise.withResolvers<unknown>() }
    const onAbort = (): void => this.#drop(task, signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiting.push(task)
    this.#next()
    try {
      // the thread's file answers with this type
      return (await task.outcome.promise) as Result
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    const waiting = this.#waiting.splice(0)
    const running = this.#running
    await this.#end()
    for (const task of running === undefined ? waiting : [running, ...waiting]) task.outcome.reject(this.#gone())
  }

  #next(): void {
    if (this.#running !== undefined || this.#disposed) return
    const task = this.#waiting.shift()
    if (task === undefined) return
    this.#scheduler.clear(this.#idle)
    this.#worker ??= this.#start()
    const worker = this.#worker
    this.#running = task
    worker.ref()
    this.#deadline = this.#scheduler.setTimeout(() => this.#overrun('time'), START_MS)
    try {
      worker.postMessage(task.input, task.transfer)
    } catch (error) {
      this.#settle(() => task.outcome.reject(MeshError.from(error)))
    }
  }

  #start(): Worker {
    const { url, workerData, heapMib = 1024 } = this.#init
    const resourceLimits = { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: YOUNG_MIB }
    const worker = new Worker(url, { workerData, resourceLimits })
    worker.on('message', (reply: TaskReply) => {
      if (this.#worker === worker) this.#onReply(reply)
    })
    worker.on('error', error => {
      if (this.#worker !== worker) return
      if ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') this.#overrun('memory')
      else this.#broke(MeshError.from(error))
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#broke(this.#gone())
    })
    return worker
  }

  #onReply(reply: TaskReply): void {
    const task = this.#running
    if (task === undefined) return
    if (reply.type === 'begun') {
      this.#scheduler.clear(this.#deadline)
      this.#deadline = this.#scheduler.setTimeout(() => this.#overrun('time'), task.deadlineMs)
    } else if (reply.type === 'progress') task.progress = reply.progress
    else if (reply.type === 'result') this.#settle(() => task.outcome.resolve(reply.result))
    else {
      const { code, message, hint, details } = reply.failure
      this.#settle(() => task.outcome.reject(new MeshError(code, message, { hint, details })))
    }
  }

  #settle(tell: () => void): void {
    this.#scheduler.clear(this.#deadline)
    this.#running = undefined
    tell()
    this.#next()
    if (this.#running !== undefined) return
    this.#worker?.unref()
    this.#idle = this.#scheduler.setTimeout(() => void this.#end(), this.#init.idleMs ?? IDLE_MS)
    this.#idle.unref()
  }

  #overrun(limit: 'time' | 'memory'): void {
    const { progress, overrun = itself } = this.#running ?? {}
    this.#broke(overrun(new TaskOverrun(limit, progress)))
  }

  /** The thread is of no use any more; what waits goes on in another. */
  #broke(error: Error): void {
    const task = this.#running
    void this.#end()
    this.#settle(() => task?.outcome.reject(error))
  }

  #drop(task: Task, reason: unknown): void {
    const at = this.#waiting.indexOf(task)
    if (at >= 0) {
      this.#waiting.splice(at, 1)
      task.outcome.reject(reason)
    } else if (task.finishes) {
      task.outcome.reject(reason)
    } else if (this.#running === task) {
      this.#broke(MeshError.from(reason, 'canceled'))
    }
  }

  async #end(): Promise<void> {
    this.#scheduler.clear(this.#idle)
    this.#scheduler.clear(this.#deadline)
    const worker = this.#worker
    this.#worker = undefined
    this.#running = undefined
    await worker?.terminate()
  }

  #gone(): MeshError {
    return new MeshError('unavailable', `the thread that reads ${this.#init.tasks} ended`, { hint: 'Try again.' })
  }
}

/** An `overrun` of {@link TaskOptions}: `resource_exhausted`, whatever was too much. */
export function exhausting(message: string, hint: string): (cause: TaskOverrun) => MeshError {
  return cause => new MeshError('resource_exhausted', message, { cause, hint })
}

function itself(overrun: TaskOverrun): Error {
  return overrun
}
