import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type AbortOptions, MeshError } from '@resultity/interface'
import type { RemoteReply, RemoteRequest, RemoteWorkerInit } from './remote-messages.ts'

/** The main thread's end of the conversation with `remote-worker.ts`. */
export class RemoteThread implements AsyncDisposable {
  readonly #worker: Worker

  constructor(init: RemoteWorkerInit) {
    this.#worker = new Worker(new URL('./remote-worker.js', import.meta.url), { workerData: init })
  }

  /** @throws the failure that the thread reports; the reason of the signal */
  async ask(request: RemoteRequest, { signal }: AbortOptions = {}): Promise<Exclude<RemoteReply, { kind: 'failure' }>> {
    if (signal !== undefined) refuseAborted(signal)
    const answer = once(this.#worker, 'message', signal === undefined ? {} : { signal })
    this.#worker.postMessage(request)
    let reply: RemoteReply
    try {
      ;[reply] = await answer
    } catch (error) {
      if (signal !== undefined) refuseAborted(signal)
      throw MeshError.from(error)
    }
    if (reply.kind !== 'failure') return reply
    throw new MeshError(reply.code, reply.message, { hint: reply.hint })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw MeshError.from(signal.reason, 'canceled')
}
