import type { ServerResponse } from 'node:http'
import type { MeshError } from '@resultity/interface'
import type { JobEvent } from '@resultity/store'
import { TextStream, type TextStreamInit } from './text-stream.ts'

const PING = ': ping\n\n'

/**
 * Server-sent events, one `write` each: some clients lose an event that arrives in two reads. A comment keeps a silent stream
 * alive.
 */
export class EventStream {
  readonly #text: TextStream

  /** Sends the headers at once, so that the client knows it was admitted. */
  constructor(response: ServerResponse, init: TextStreamInit) {
    this.#text = new TextStream(response, 'text/event-stream; charset=utf-8', init, () => PING)
    response.write(PING)
  }

  /**
   * Sends one event, with `id` as where to go on from. A promise only where there is no room for the next yet.
   * @throws MeshError `canceled` when the client is gone or takes nothing for too long
   */
  send(event: unknown, id?: number, name?: string): Promise<void> | undefined {
    const data = typeof event === 'string' ? event : JSON.stringify(event)
    // clients that are simple about it look at how a block begins
    const head = name === undefined ? '' : `event: ${name}\n`
    return this.#text.write(`${head}data: ${data}\n${id === undefined ? '' : `id: ${id}\n`}\n`)
  }

  /** Sends a log entry: named by its type, and by its number for a client that comes back. */
  sendEntry({ number, type, data }: JobEvent): Promise<void> | undefined {
    return this.#text.write(`id: ${number}\nevent: ${type}\ndata: ${JSON.stringify(data ?? {})}\n\n`)
  }

  /** Ends the stream after what was sent. The socket is never destroyed under a client that still reads. */
  end(): void {
    this.#text.end()
  }

  /** Gives up on a client that is gone or reads nothing. */
  cut(error: MeshError): void {
    this.#text.cut(error)
  }
}
