import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { MeshError, safeParse } from '@resultity/interface'
import { z } from 'zod'
import type { Heard, Listener, ListenerInit } from './listener.ts'

const directory = join(import.meta.dirname, '../../bench')

const versionsSchema = z.object({ 'faster-whisper': z.string(), ctranslate2: z.string() })
const heardSchema = z.object({
  features: z.number().nonnegative(),
  encoder: z.number().positive(),
  decoder: z.number().positive(),
  text: z.string()
})

/** Whether `python` is a program that has faster-whisper. */
export async function hasFasterWhisper(python: string): Promise<boolean> {
  const child = spawn(python, ['-c', 'import faster_whisper'], { stdio: 'ignore' })
  return await Promise.race([
    once(child, 'exit').then(([code]) => code === 0),
    // there is no such program
    once(child, 'error').then(() => false)
  ]).catch(() => false)
}

/** faster-whisper in a Python of its own. */
export class FasterWhisper implements Listener {
  readonly name: string
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  private constructor(
    name: string,
    child: ChildProcessByStdio<Writable, Readable, null>,
    lines: AsyncIterator<string>
  ) {
    this.name = name
    this.#child = child
    this.#lines = lines
  }

  /** @throws MeshError `internal` when the program ends or answers something else; its own words are on stderr */
  static async start(python: string, init: ListenerInit): Promise<FasterWhisper> {
    const args = [join(directory, 'faster-whisper.py'), JSON.stringify(init)]
    const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const versions = await nextLine(lines, versionsSchema)
    return new FasterWhisper(`faster-whisper ${versions['faster-whisper']}`, child, lines)
  }

  async hear(words: boolean): Promise<Heard> {
    this.#child.stdin.write(`${JSON.stringify({ words })}\n`)
    return await nextLine(this.#lines, heardSchema)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin.end()
    await exited
  }
}

async function nextLine<T>(lines: AsyncIterator<string>, schema: z.ZodType<T>): Promise<T> {
  const { value, done } = await lines.next()
  if (done === true) throw new MeshError('internal', 'faster-whisper ended before it answered; its words are above')
  const { data } = safeParse(schema, JSON.parse(value))
  if (data === undefined) throw new MeshError('internal', `faster-whisper answered ${value}`)
  return data
}
