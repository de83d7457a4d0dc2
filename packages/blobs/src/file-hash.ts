import { Worker } from 'node:worker_threads'
import { MeshError } from '@resultity/interface'

export interface HashRequest {
  readonly id: number
  readonly path: string
}
export type HashReply = { readonly id: number } & ({ readonly sha256: string } | { readonly failure: string })

/** An idle thread holds some 15 MB; a new one takes 30 ms. */
const IDLE_MS = 1000

/**
 * Hashes files in one worker thread: a weight file of 500 MB keeps a core busy for half a second, which the
 * event loop does not have. The thread starts with the first file, ends when idle, and does not keep the process alive.
 */
export class FileHasher implements AsyncDisposable {
  readonly #pending = new Map<number, PromiseWithResolvers<string> & { readonly path: string }>()
  #worker: Worker | undefined
  #idle: NodeJS.Timeout | undefined
  #nextId = 0
  #disposed = false

  /**
   * SHA-256 of the file, lower-case hex.
   * @throws MeshError `unavailable` when the file cannot be read or the hasher was disposed
   */
  async sha256(path: string): Promise<string> {
    if (this.#disposed) throw new MeshError('unavailable', 'the blob store is closed')
    clearTimeout(this.#idle)
    this.#worker ??= this.#start()
    const worker = this.#worker
    const id = this.#nextId
    this.#nextId += 1
    const waiter = { ...Promise.withResolvers<string>(), path }
    this.#pending.set(id, waiter)
    worker.ref()
    const request: HashRequest = { id, path }
    worker.postMessage(request)
    return waiter.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await this.#end()
    this.#fail(new MeshError('unavailable', 'the blob store is closed'))
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle)
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(new URL('./file-hash-worker.js', import.meta.url))
    worker.on('message', (reply: HashReply) => {
      const waiter = this.#pending.get(reply.id)
      this.#pending.delete(reply.id)
      if (this.#pending.size === 0) {
        worker.unref()
        this.#idle = setTimeout(() => void this.#end(), IDLE_MS)
        this.#idle.unref()
      }
      if ('sha256' in reply) waiter?.resolve(reply.sha256)
      else waiter?.reject(new MeshError('unavailable', `cannot hash ${waiter.path}: ${reply.failure}`))
    })
    worker.on('error', error => this.#fail(MeshError.from(error)))
    worker.on('exit', () => {
      // one that was ended for idling has been replaced already, if there was more to do
      if (this.#worker === worker) this.#fail(new MeshError('unavailable', 'the hashing thread ended'))
    })
    return worker
  }

  #fail(error: MeshError): void {
    this.#worker = undefined
    for (const waiter of this.#pending.values()) waiter.reject(error)
    this.#pending.clear()
  }
}
