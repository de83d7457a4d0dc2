import { join } from 'node:path'
import { z } from 'zod'
import { LineProcess } from './line-process.ts'

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
  readonly #process: LineProcess

  private constructor(name: string, process: LineProcess) {
    this.name = name
    this.#process = process
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
    return await this.#process.ask('', drawnSchema)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }

  static async #start(program: string, args: readonly string[], env = process.env): Promise<Painter> {
    const started = new LineProcess('the process that draws', program, args, env)
    const { name } = await started.next(helloSchema)
    return new Painter(name, started)
  }
}

export const diffusersProgram = join(import.meta.dirname, '../../bench/diffusers-painter.py')
