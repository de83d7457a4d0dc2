import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { MeshError, safeParse } from '@resultity/interface'
import { z } from 'zod'

/** How who draws is started: each draws the same of the same weights. */
export interface PainterInit {
  /** A folder in the layout of diffusers. */
  readonly model: string
  /** Of the picture, in pixels. */
  readonly side: number
  /** Each with guidance: the denoiser is run twice, or on two. */
  readonly steps: number
  readonly threads: number
}

/** Of our own process. */
export interface PaintChildInit extends PainterInit {
  /** Imported models are kept here. */
  readonly dataDir: string
}

const helloSchema = z.object({ name: z.string() })
const drawnSchema = z.object({
  text: z.number().nonnegative(),
  steps: z.number().positive(),
  decoder: z.number().positive(),
  peakBytes: z.number().positive()
})
/** Seconds that one picture took, part by part, and the most memory that the process has had. */
export type Drawn = z.infer<typeof drawnSchema>

/** A process that draws a picture for each line that it is sent, and says in a line how long that took. */
export class Painter implements AsyncDisposable {
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

  /** Our engine. @throws MeshError `internal` when the process ends or answers something else; its own words are on stderr */
  static ours(init: PaintChildInit): Promise<Painter> {
    return Painter.#start(process.execPath, [join(import.meta.dirname, 'paint-child.js'), JSON.stringify(init)])
  }

  /** diffusers, in a Python that has it. @throws MeshError as {@link ours} */
  static diffusers(python: string, init: PainterInit): Promise<Painter> {
    return Painter.#start(python, [diffusersProgram, 'draw', JSON.stringify(init)], {
      ...process.env,
      OMP_NUM_THREADS: String(init.threads)
    })
  }

  async draw(): Promise<Drawn> {
    this.#child.stdin.write('\n')
    return await nextLine(this.#lines, drawnSchema)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin.end()
    await exited
  }

  static async #start(program: string, args: readonly string[], env = process.env): Promise<Painter> {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const { name } = await nextLine(lines, helloSchema)
    return new Painter(name, child, lines)
  }
}

export const diffusersProgram = join(import.meta.dirname, '../../bench/diffusers-painter.py')

async function nextLine<T>(lines: AsyncIterator<string>, schema: z.ZodType<T>): Promise<T> {
  const { value, done } = await lines.next()
  if (done === true) throw new MeshError('internal', 'a process ended before it answered; its words are above')
  const { data } = safeParse(schema, JSON.parse(value))
  if (data === undefined) throw new MeshError('internal', `a process answered ${value}`)
  return data
}
