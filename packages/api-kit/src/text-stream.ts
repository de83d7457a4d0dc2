import type { ServerResponse } from 'node:http'
import { MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'

export interface TextStreamInit {
  readonly headers: Readonly<Record<string, string>>
  readonly eventStreamPingMs: number
  readonly clientStallMs: number
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/**
 * An answer that is written piece by piece. Something that says nothing keeps a silent one alive, and a client that reads
 * slower than we write is waited for, up to a limit.
 */
export class TextStream {
  readonly #response: ServerResponse
  readonly #stallMs: number
  readonly #scheduler: Scheduler
  readonly #ping: Timer

  /**
   * Writes the headers, which go out with whatever is sent first.
   * @param pingOf what is written when nothing else was for a while; undefined: nothing
   */
  constructor(response: ServerResponse, type: string, init: TextStreamInit, pingOf: () => string | undefined) {
    this.#response = response
    this.#stallMs = init.clientStallMs
    this.#scheduler = init.scheduler ?? systemScheduler
    response.writeHead(200, {
      ...init.headers,
      'content-type': type,
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no'
    })
    this.#ping = this.#scheduler.setInterval(() => {
      const ping = response.writableNeedDrain ? undefined : pingOf()
      if (ping !== undefined) response.write(ping)
    }, init.eventStreamPingMs)
    // a heartbeat alone is no reason for the process to stay
    this.#ping.unref()
  }

  /**
   * Writes one piece. A promise only where there is no room for the next yet.
   * @throws MeshError `canceled` when the client is gone or takes nothing for too long
   */
  write(chunk: string | Uint8Array): Promise<void> | undefined {
    const response = this.#response
    if (response.destroyed) throw new MeshError('canceled', 'the client hung up')
    this.#ping.refresh()
    if (response.write(chunk)) return undefined
    return this.#drained()
  }

  /** Ends the stream after what was sent. The socket is never destroyed under a client that still reads. */
  end(): void {
    this.#scheduler.clear(this.#ping)
    this.#response.end()
  }

  /** Gives up on a client that is gone or reads nothing. */
  cut(error: MeshError): void {
    this.#scheduler.clear(this.#ping)
    this.#response.destroy(error)
  }

  #drained(): Promise<void> {
    const response = this.#response
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const settle = (error?: MeshError): void => {
      this.#scheduler.clear(timer)
      response.off('drain', onDrain)
      response.off('close', onClose)
      if (error === undefined) resolve()
      else reject(error)
    }
    const onDrain = (): void => settle()
    const onClose = (): void => settle(new MeshError('canceled', 'the client hung up'))
    const timer = this.#scheduler.setTimeout(() => {
      settle(new MeshError('canceled', `the client took nothing for ${this.#stallMs} ms`))
    }, this.#stallMs)
    response.on('drain', onDrain)
    response.on('close', onClose)
    return promise
  }
}
