import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { MeshError, safeParse } from '@resultity/interface'
import type { z } from 'zod'

/** A program that answers each line that it is sent with a line of JSON. What it says on stderr is shown as it is. */
export class LineProcess implements AsyncDisposable {
  readonly #name: string
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  /** @param name of the program, for messages */
  constructor(name: string, program: string, args: readonly string[], env = process.env) {
    this.#name = name
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** @throws MeshError `internal` as {@link next} does */
  async ask<T>(line: string, schema: z.ZodType<T>): Promise<T> {
    this.#child.stdin.write(`${line}\n`)
    return await this.next(schema)
  }

  /** Its next line. @throws MeshError `internal` when it ended, or answered something else */
  async next<T>(schema: z.ZodType<T>): Promise<T> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new MeshError('internal', `${this.#name} ended before it answered; its words are above`)
    const { data } = safeParse(schema, JSON.parse(value))
    if (data === undefined) throw new MeshError('internal', `${this.#name} answered ${value}`)
    return data
  }

  /** Lets it end, and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin.end()
    await exited
  }
}
