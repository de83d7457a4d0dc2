import { type AbortOptions, MeshError } from '@resultity/interface'
import type { ForeignAudio } from '../decoding/foreign-audio.ts'
import { withPrivateFile } from './private-file.ts'
import { type FfmpegRunInit, runFfmpeg } from './run-ffmpeg.ts'
import { Turns } from './turns.ts'

export interface ForeignDecoderInit extends FfmpegRunInit {
  /** Processes at once. Whoever calls bounds how many files wait. */
  readonly processesMax: number
}

/** Has ffmpeg decode the files that are not decoded here, a process for each. */
export class ForeignDecoder implements AsyncDisposable {
  readonly #init: ForeignDecoderInit
  readonly #turns: Turns
  readonly #closing = new AbortController()
  readonly #running = new Set<Promise<unknown>>()

  constructor(init: ForeignDecoderInit) {
    this.#init = init
    this.#turns = new Turns(init.processesMax)
  }

  /**
   * @returns a wave file of one channel at 16 kHz
   * @throws MeshError `invalid_request` of the field `file`; `unavailable` when ffmpeg does not start, when its input
   * cannot be written, or when this was disposed; the signal's reason
   */
  async decode(
    bytes: Uint8Array<ArrayBuffer>,
    foreign: ForeignAudio,
    options: AbortOptions = {}
  ): Promise<Uint8Array<ArrayBuffer>> {
    const closing = this.#closing.signal
    const signal = options.signal === undefined ? closing : AbortSignal.any([closing, options.signal])
    const work = this.#turns.run(async () => await this.#run(bytes, foreign, signal), { signal })
    this.#running.add(work)
    try {
      return await work
    } finally {
      this.#running.delete(work)
    }
  }

  /** Resolves when every process has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new MeshError('unavailable', 'the audio decoder was closed', { hint: 'Try again.' }))
    await Promise.allSettled(this.#running)
  }

  async #run(
    bytes: Uint8Array<ArrayBuffer>,
    foreign: ForeignAudio,
    signal: AbortSignal
  ): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return await withPrivateFile(
        bytes,
        async (file, folder) => await runFfmpeg(this.#init, foreign, { file, folder }, { signal }),
        { signal }
      )
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof MeshError) throw error
      const { message } = MeshError.from(error)
      throw new MeshError('unavailable', `the audio was not given to ffmpeg: ${message}`, {
        hint: 'Check the space and the rights of the directory for temporary files.',
        cause: error
      })
    }
  }
}
