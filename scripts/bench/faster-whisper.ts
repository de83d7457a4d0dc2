import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { z } from 'zod'
import { LineProcess } from './line-process.ts'
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
  readonly #process: LineProcess

  private constructor(name: string, process: LineProcess) {
    this.name = name
    this.#process = process
  }

  /** @throws MeshError `internal` when the program ends or answers something else; its own words are on stderr */
  static async start(python: string, init: ListenerInit): Promise<FasterWhisper> {
    const args = [join(directory, 'faster-whisper.py'), JSON.stringify(init)]
    const started = new LineProcess('faster-whisper', python, args)
    const versions = await started.next(versionsSchema)
    return new FasterWhisper(`faster-whisper ${versions['faster-whisper']}`, started)
  }

  async hear(words: boolean): Promise<Heard> {
    return await this.#process.ask(JSON.stringify({ words }), heardSchema)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}
