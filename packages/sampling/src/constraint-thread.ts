import { Worker } from 'node:worker_threads'
import { MeshError } from '@resultity/interface'
import type { TokenVocabulary } from '@resultity/tokenizer'
import type { ConstraintNotice, ConstraintReply, ConstraintRequest } from './constraint-messages.ts'

/** Left to itself a thread's young generation grows to 128 MB under load and stays so. */
const YOUNG_MB = 24

export interface ConstraintThreadInit {
  /** Of one request, once it is begun. Budgets of work end it long before; this is for what they do not count. */
  readonly requestMsMax: number
  readonly heapMbMax: number
}

interface Waiting {
  readonly request: ConstraintRequest
  /** Sent ahead, unless the thread has it. */
  readonly vocabulary: TokenVocabulary | undefined
  /** Nobody waits any more. */
  readonly signal: AbortSignal
  readonly resolve: (reply: ConstraintReply) => void
  readonly reject: (error: MeshError) => void
}

interface RunningWorker {
  readonly worker: Worker
  readonly vocabularies: Set<number>
}

/**
 * The thread in which grammars are compiled and masks are worked out, one request at a time. It starts with the first
 * one. One that takes too long or too much memory ends the thread, and only the answer that asked fails: the next
 * request starts another thread.
 */
export class ConstraintThread implements AsyncDisposable {
  readonly #init: ConstraintThreadInit
  readonly #waiting: Waiting[] = []
  #running: RunningWorker | undefined
  #busy: { readonly waiting: Waiting; readonly timer: NodeJS.Timeout } | undefined
  #closed = false

  constructor(init: ConstraintThreadInit) {
    this.#init = init
  }

  /** Forgets something; a thread that does not run knows nothing anyway. */
  tell(notice: Exclude<ConstraintNotice, { type: 'vocabulary' }>): void {
    if (notice.type === 'forget_vocabulary') this.#running?.vocabularies.delete(notice.vocabulary)
    this.#running?.worker.postMessage(notice)
  }

  /**
   * @param vocabulary of an `open`
   * @throws MeshError `invalid_request` when it takes too long or too much memory, `canceled` once `signal` aborts,
   *   `unavailable` when this is closed, `internal` when the thread ends for another reason
   */
  ask(request: ConstraintRequest, signal: AbortSignal, vocabulary?: TokenVocabulary): Promise<ConstraintReply> {
    const { promise, resolve, reject } = Promise.withResolvers<ConstraintReply>()
    this.#waiting.push({ request, vocabulary, signal, resolve, reject })
    this.#next()
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    const error = new MeshError('unavailable', 'the node is shutting down')
    for (const { reject } of this.#waiting.splice(0)) reject(error)
    await this.#end(error)
  }

  #next(): void {
    if (this.#busy !== undefined) return
    const waiting = this.#nextWanted()
    if (waiting === undefined) return
    const { requestMsMax } = this.#init
    const timer = setTimeout(() => void this.#end(tooMuch(`took longer than ${requestMsMax} ms`)), requestMsMax)
    this.#busy = { waiting, timer }
    const { worker, vocabularies } = this.#start()
    worker.ref()
    const { request, vocabulary } = waiting
    if (request.type === 'open' && vocabulary !== undefined && !vocabularies.has(request.vocabulary)) {
      vocabularies.add(request.vocabulary)
      worker.postMessage({ type: 'vocabulary', vocabulary: request.vocabulary, tokens: vocabulary })
    }
    worker.postMessage(request)
  }

  /** The next request that somebody still waits for. */
  #nextWanted(): Waiting | undefined {
    for (;;) {
      const waiting = this.#waiting.shift()
      if (waiting === undefined || !(this.#closed || waiting.signal.aborted)) return waiting
      const code = this.#closed ? 'unavailable' : 'canceled'
      waiting.reject(new MeshError(code, 'nobody works at the constraint of an answer that is over'))
    }
  }

  #start(): RunningWorker {
    if (this.#running !== undefined) return this.#running
    const worker = new Worker(new URL('./constraint-worker.js', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: this.#init.heapMbMax, maxYoungGenerationSizeMb: YOUNG_MB }
    })
    const running = { worker, vocabularies: new Set<number>() }
    // a thread that was replaced says nothing any more
    const whileRunning = (act: () => void): void => {
      if (this.#running === running) act()
    }
    worker.on('message', (reply: ConstraintReply) => whileRunning(() => this.#settle(({ resolve }) => resolve(reply))))
    worker.on('error', error => whileRunning(() => void this.#end(failureOf(error))))
    worker.on('exit', () =>
      whileRunning(() => void this.#end(new MeshError('internal', 'the thread of constraints ended')))
    )
    this.#running = running
    return running
  }

  /** Ends the thread, and with it the request that it is at. */
  async #end(error: MeshError): Promise<void> {
    const running = this.#running
    this.#running = undefined
    this.#settle(({ reject }) => reject(error))
    await running?.worker.terminate()
  }

  #settle(settle: (waiting: Waiting) => void): void {
    const busy = this.#busy
    if (busy === undefined) return
    clearTimeout(busy.timer)
    this.#busy = undefined
    // an idle thread keeps no process alive
    this.#running?.worker.unref()
    settle(busy.waiting)
    this.#next()
  }
}

function failureOf(error: Error): MeshError {
  const outOfMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
  return outOfMemory ? tooMuch('took too much memory') : MeshError.from(error)
}

function tooMuch(problem: string): MeshError {
  return new MeshError('invalid_request', `what the answer is held to ${problem}`, {
    hint: 'Make the schema smaller: fewer alternatives, shorter names and lists, no counts within counts in a pattern.'
  })
}
