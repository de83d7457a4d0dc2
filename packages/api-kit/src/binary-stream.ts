import type { ServerResponse } from 'node:http'
import type { MeshError } from '@resultity/interface'
import { TextStream, type TextStreamInit } from './text-stream.ts'

/** Bytes of one file, as they come. Nothing keeps a silent stream alive: every byte is the file's. */
export class BinaryStream {
  readonly #stream: TextStream

  /** @param type of the file, as `audio/mpeg` */
  constructor(response: ServerResponse, type: string, init: TextStreamInit) {
    this.#stream = new TextStream(response, type, init, () => undefined)
    response.flushHeaders()
  }

  /**
   * Sends some bytes. A promise only where there is no room for the next yet.
   * @throws MeshError `canceled` when the client is gone or takes nothing for too long
   */
  send(bytes: unknown): Promise<void> | undefined {
    return bytes instanceof Uint8Array ? this.#stream.write(bytes) : undefined
  }

  /** Ends the stream after what was sent. */
  end(): void {
    this.#stream.end()
  }

  /** Breaks the connection off: the only way to tell a client that the file is not whole. */
  cut(error: MeshError): void {
    this.#stream.cut(error)
  }
}
