import { setImmediate } from 'node:timers/promises'
import type { Text } from './text.ts'
import { escapeJson, visibleJson } from './visible.ts'

/**
 * Standard output or standard error. Everything that the command prints goes through here, so that no foreign text
 * (from models, nodes, servers, files) can control the terminal.
 */
export class Output {
  /** For libraries that draw by themselves: readline, a spinner. They get text that went through {@link Text}. */
  readonly stream: NodeJS.WriteStream
  readonly #broken = Promise.withResolvers<Error>()

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream
    // unheard, it would end the process in the midst of something
    stream.on('error', error => this.#broken.resolve(error))
  }

  /** Resolves with the reason when nothing can be written any more: the reader has gone, the disk is full. */
  get broken(): Promise<Error> {
    return this.#broken.promise
  }

  /** Resolves when all that was printed has been taken, with the reason where it was not. */
  async flush(): Promise<Error | undefined> {
    const { promise, resolve } = Promise.withResolvers<Error | undefined>()
    this.stream.write('', error => resolve(error ?? undefined))
    // the callback of a write that succeeds comes before the news of one that did not
    return Promise.race([this.broken, promise.then(error => error ?? setImmediate(undefined))])
  }

  print(content: Text): void {
    this.stream.write(content.toString())
  }

  /** One line of JSON, for programs: the value as it is, with terminal control characters escaped. */
  json(value: unknown): void {
    this.stream.write(`${visibleJson(value)}\n`)
  }

  /** Lines that are JSON already, such as those of a log. */
  jsonText(lines: string): void {
    this.stream.write(escapeJson(lines))
  }

  /** The text unchanged, because the user asked for exactly that. */
  raw(content: string): void {
    this.stream.write(content)
  }
}
