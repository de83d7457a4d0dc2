import type { ServerResponse } from 'node:http'
import type { MeshError } from '@resultity/interface'
import { TextStream, type TextStreamInit } from './text-stream.ts'

/** Lines of JSON, one `write` each. They have no comments: a line that says nothing keeps a silent stream alive. */
export class LineStream {
  readonly #text: TextStream

  /**
   * Sends the headers at once, so that the client knows it was admitted.
   * @param idleOf what is sent when there was nothing else for a while; undefined: nothing
   */
  constructor(response: ServerResponse, init: TextStreamInit, idleOf: () => unknown) {
    this.#text = new TextStream(response, 'application/x-ndjson', init, () => {
      const idle = idleOf()
      return idle === undefined ? undefined : lineOf(idle)
    })
    response.flushHeaders()
  }

  /**
   * Sends one line. A promise only where there is no room for the next yet.
   * @throws MeshError `canceled` when the client is gone or takes nothing for too long
   */
  send(value: unknown): Promise<void> | undefined {
    return this.#text.write(lineOf(value))
  }

  /** Ends the stream after what was sent. */
  end(): void {
    this.#text.end()
  }

  /** Gives up on a client that is gone or reads nothing. */
  cut(error: MeshError): void {
    this.#text.cut(error)
  }
}

function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}
