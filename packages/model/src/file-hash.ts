import { Worker } from 'node:worker_threads'
import { MeshError } from '@resultity/interface'

export interface HashRequest {
  readonly id: number
  readonly path: string
}
export type HashReply = { readonly id: number } & ({ readonly sha256: string } | { readonly failure: string })

/**
 * Hashes files in one worker thread: a weight file of 500 MB keeps a core busy for half a second, which the
 * event loop does not have. The thread starts with the first file and does not keep the process alive when idle.
 */
export class FileHasher implements AsyncDisposable {
  readonly #pending = new Map<number, PromiseWithResolvers<string>>()
  #worker: Worker | undefined
  #nextId = 0
  #disposed = false

  /**
   * SHA-256 of the file, lower-case hex.
   * @throws MeshError `unavailable` when the file cannot be read or the hasher was disposed
   */
  async sha256(path: string): Promise<string> {
    if (this.#disposed) throw new MeshError('unavailable', 'the blob store is closed')
    this.#worker ??= this.#start()
    const worker = this.#worker
    const id = this.#nextId
    this.#nextId += 1
    const waiter = Promise.withResolvers<string>()
    this.#pending.set(id, waiter)
    worker.ref()
    const request: HashRequest = { id, path }
    worker.postMessage(request)
    return waiter.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(new URL('./file-hash-worker.js', import.meta.url))
    worker.on('message', (reply: HashReply) => {
      const waiter = this.#pending.get(reply.id)
      this.#pending.delete(reply.id)
      if (this.#pending.size === 0) worker.unref()
      if ('sha256' in reply) waiter?.resolve(reply.sha256)
      else waiter?.reject(new MeshError('unavailable', `cannot hash a file: ${reply.failure}`))
    })
    worker.on('error', error => this.#fail(MeshError.from(error)))
    worker.on('exit', () => this.#fail(new MeshError('unavailable', 'the hashing thread ended')))
    return worker
  }

  #fail(error: MeshError): void {
    this.#worker = undefined
    for (const waiter of this.#pending.values()) waiter.reject(error)
    this.#pending.clear()
  }
}
