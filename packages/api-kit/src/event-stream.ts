import type { ServerResponse } from 'node:http'
import { MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import type { JobEvent } from '@resultity/store'

export interface EventStreamInit {
  readonly headers: Readonly<Record<string, string>>
  readonly eventStreamPingMs: number
  readonly clientStallMs: number
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

const PING = ': ping\n\n'

/**
 * Server-sent events, one `write` each: some clients lose an event that arrives in two reads.
 *
 * A comment keeps a silent stream alive. A client that reads slower than we write is waited for, up to a limit.
 */
export class EventStream {
  readonly #response: ServerResponse
  readonly #stallMs: number
  readonly #scheduler: Scheduler
  readonly #ping: Timer

  /** Sends the headers at once, so that the client knows it was admitted. */
  constructor(response: ServerResponse, init: EventStreamInit) {
    this.#response = response
    this.#stallMs = init.clientStallMs
    this.#scheduler = init.scheduler ?? systemScheduler
    response.writeHead(200, {
      ...init.headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no'
    })
    response.write(PING)
    this.#ping = this.#scheduler.setInterval(() => {
      if (!response.writableNeedDrain) response.write(PING)
    }, init.eventStreamPingMs)
    // a heartbeat alone is no reason for the process to stay
    this.#ping.unref()
  }

  /**
   * Sends one event, with `id` as where to go on from. A promise only where there is no room for the next yet.
   * @throws MeshError `canceled` when the client is gone or takes nothing for too long
   */
  send(event: unknown, id?: number, name?: string): Promise<void> | undefined {
    const data = typeof event === 'string' ? event : JSON.stringify(event)
    // clients that are simple about it look at how a block begins
    const head = name === undefined ? '' : `event: ${name}\n`
    return this.#write(`${head}data: ${data}\n${id === undefined ? '' : `id: ${id}\n`}\n`)
  }

  /** Sends a log entry: named by its type, and by its number for a client that comes back. */
  sendEntry({ number, type, data }: JobEvent): Promise<void> | undefined {
    return this.#write(`id: ${number}\nevent: ${type}\ndata: ${JSON.stringify(data ?? {})}\n\n`)
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

  #write(chunk: string): Promise<void> | undefined {
    const response = this.#response
    if (response.destroyed) throw new MeshError('canceled', 'the client hung up')
    this.#ping.refresh()
    if (response.write(chunk)) return undefined
    return this.#drained()
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
