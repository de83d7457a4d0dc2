import type { ServerResponse } from 'node:http'
import { MeshError } from '@resultity/interface'
import { HttpError } from './error-reply.ts'

/** A request that was let in. Dispose when it is answered. */
export interface AdmittedRequest extends Disposable {
  /** Aborts when the client hangs up or the server stops. */
  readonly signal: AbortSignal
}

/** Lets in so many requests at once and no more, and ends them when their client leaves or the server stops. */
export class RequestLimiter {
  readonly #requestsMax: number
  readonly #controllers = new Set<AbortController>()
  #stopped: MeshError | undefined
  #idle: PromiseWithResolvers<void> | undefined

  constructor(requestsMax: number) {
    this.#requestsMax = requestsMax
  }

  /**
   * @throws MeshError `resource_exhausted` (HTTP 429) when too many requests are at work; `unavailable` when stopping
   */
  admit(response: ServerResponse): AdmittedRequest {
    if (this.#stopped !== undefined) throw this.#stopped
    if (this.#controllers.size >= this.#requestsMax) {
      const full = new MeshError('resource_exhausted', `${this.#requestsMax} requests are at work already`, {
        hint: 'Send fewer at once, or try again in a second.'
      })
      throw new HttpError(full, 429)
    }
    const controller = new AbortController()
    const onClose = (): void => {
      if (!response.writableFinished) controller.abort(new MeshError('canceled', 'the client hung up'))
    }
    this.#controllers.add(controller)
    response.once('close', onClose)
    if (response.destroyed) onClose()
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        response.off('close', onClose)
        this.#controllers.delete(controller)
        if (this.#controllers.size === 0) this.#idle?.resolve()
      }
    }
  }

  /** Refuses what comes from now on, ends what is at work, and resolves when the last answer is out. */
  async stop(reason: MeshError): Promise<void> {
    this.#stopped = reason
    if (this.#controllers.size === 0) return
    this.#idle = Promise.withResolvers()
    for (const controller of this.#controllers) controller.abort(reason)
    await this.#idle.promise
  }
}
