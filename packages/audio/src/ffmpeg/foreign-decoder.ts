import { type AbortOptions, MeshError, Turns } from '@resultity/interface'
import type { ForeignAudio } from '../decoding/foreign-audio.ts'
import { PcmLength } from './pcm-length.ts'
import { withPrivateFile } from './private-file.ts'
import { type FfmpegRunInit, type PcmSink, runFfmpeg } from './run-ffmpeg.ts'
import { WaveBuffer } from './wave-buffer.ts'

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
    const wave = new WaveBuffer(this.#init.limits.secondsMax)
    await this.#take(bytes, foreign, wave, options)
    return wave.end()
  }

  /**
   * Decodes it, and keeps nothing but how long it is.
   * @returns samples at 16 kHz
   * @throws MeshError as {@link decode} does
   */
  async measure(bytes: Uint8Array<ArrayBuffer>, foreign: ForeignAudio, options: AbortOptions = {}): Promise<number> {
    const length = new PcmLength(this.#init.limits.secondsMax)
    await this.#take(bytes, foreign, length, options)
    return length.end()
  }

  /** Resolves when every process has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new MeshError('unavailable', 'the audio decoder was closed', { hint: 'Try again.' }))
    await Promise.allSettled(this.#running)
  }

  /** Waits for a turn, and lets ffmpeg write the sound into `sound`. */
  async #take(
    bytes: Uint8Array<ArrayBuffer>,
    foreign: ForeignAudio,
    sound: PcmSink,
    options: AbortOptions
  ): Promise<void> {
    const closing = this.#closing.signal
    const signal = options.signal === undefined ? closing : AbortSignal.any([closing, options.signal])
    const work = this.#turns.run(async () => await this.#run(bytes, foreign, sound, signal), { signal })
    this.#running.add(work)
    try {
      await work
    } finally {
      this.#running.delete(work)
    }
  }

  async #run(
    bytes: Uint8Array<ArrayBuffer>,
    foreign: ForeignAudio,
    sound: PcmSink,
    signal: AbortSignal
  ): Promise<void> {
    try {
      await withPrivateFile(
        bytes,
        async (file, folder) => await runFfmpeg(this.#init, foreign, { file, folder }, sound, { signal }),
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
