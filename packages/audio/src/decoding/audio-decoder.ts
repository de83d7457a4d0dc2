import {
  type AbortOptions,
  MeshError,
  type Scheduler,
  systemScheduler,
  type TaskOverrun,
  TaskThread
} from '@resultity/interface'
import { audioInvalid } from '../audio-invalid.ts'
import { type AudioLimits, DEFAULT_AUDIO_LIMITS, SAMPLE_RATE } from '../audio-limits.ts'
import { ForeignDecoder } from '../ffmpeg/foreign-decoder.ts'
import type { SampleSpan } from '../voice/sample-span.ts'
import type { SpeechRules } from '../voice/speech-spans.ts'
import type { AudioTask, HeardFile } from './audio-task.ts'
import type { MeasuredFile } from './decode-file.ts'
import { type ForeignAudio, withoutFfmpeg } from './foreign-audio.ts'
import type { AudioContainer } from './sniff.ts'

/** Two files at once, which use two processors: the coordinator has other work. */
const THREADS_MAX = 2

/** Files that may wait, for each that is decoded; each is in memory. */
const WAITING_MAX = 8

/** Two hours take some minutes on a slow machine. */
const DEADLINE_MS = 15 * 60_000

/** Decoders hold some 20 MB, and start in some 100 ms. */
const IDLE_MS = 60_000

/** Objects of one file; its samples are not among them. */
const HEAP_MIB = 256

export interface AudioDecoderInit {
  /** Files that are decoded at once. Default 2. */
  readonly threadsMax?: number
  /** Files that may wait, for each that is decoded. Default 8. */
  readonly waitingMax?: number
  /** What files may cost. Default {@link DEFAULT_AUDIO_LIMITS}. */
  readonly limits?: Partial<AudioLimits>
  /** For one file, from when its turn has come; a file for ffmpeg has it twice. Default 900,000. */
  readonly deadlineMs?: number
  /**
   * The file of an ffmpeg program, as `findFfmpeg` finds it, for AAC, Apple Lossless and other sound that is not decoded
   * here; each file has a process of its own. Default `false`: such files are refused.
   */
  readonly ffmpeg?: string | false
  /** Measures deadlines. Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface DecodeOptions extends AbortOptions {
  /** Says where somebody speaks, by these rules. */
  readonly speech?: SpeechRules
}

/** A file as models of speech want it. */
export interface DecodedAudio {
  /** f32 from -1 to 1, one channel at 16 kHz */
  readonly samples: Float32Array<ArrayBuffer>
  readonly seconds: number
  /** What the file is by its bytes. */
  readonly container: AudioContainer
  /** Such as `pcm_s16le`, `mp3`, `opus`. */
  readonly codec: string
  /** Where somebody speaks, where that was asked for. */
  readonly speech: SampleSpan[] | undefined
}

/**
 * Decodes audio files away from the event loop, in a few threads. A file that takes too much time or memory ends its
 * thread and nothing else; the next file has another one. What only ffmpeg decodes goes through a process of its own,
 * and then through a thread as any wave file.
 */
export class AudioDecoder implements AsyncDisposable {
  readonly limits: AudioLimits
  readonly #threads: readonly TaskThread[]
  readonly #foreign: ForeignDecoder | undefined
  readonly #deadlineMs: number
  readonly #filesMax: number
  #files = 0

  constructor(init: AudioDecoderInit = {}) {
    const { threadsMax = THREADS_MAX, waitingMax = WAITING_MAX, deadlineMs = DEADLINE_MS } = init
    const { ffmpeg = false, scheduler = systemScheduler } = init
    const limits = { ...DEFAULT_AUDIO_LIMITS, ...init.limits }
    this.limits = limits
    this.#deadlineMs = deadlineMs
    this.#filesMax = threadsMax * (waitingMax + 1)
    const thread = { url: new URL('./audio-worker.js', import.meta.url), idleMs: IDLE_MS, heapMib: HEAP_MIB, scheduler }
    const tasks = { tasksMax: this.#filesMax, tasks: 'audio files' }
    this.#threads = Array.from({ length: threadsMax }, () => new TaskThread({ ...thread, ...tasks }))
    if (ffmpeg === false) return
    this.#foreign = new ForeignDecoder({ program: ffmpeg, processesMax: threadsMax, limits, deadlineMs, scheduler })
  }

  /** Files that are decoded at once. */
  get atOnce(): number {
    return this.#threads.length
  }

  /**
   * @param bytes the whole file, whatever its name; it is copied
   * @throws MeshError `invalid_request` of the field `file`, with an `AudioFault` in `details.fault`;
   * `resource_exhausted` when too many files wait; `unavailable` when the thread ended, or ffmpeg does not run; the
   * signal's reason
   */
  async decode(bytes: Uint8Array<ArrayBuffer>, options: DecodeOptions = {}): Promise<DecodedAudio> {
    using _counted = this.#admit(bytes, this.#filesMax)
    const file = await this.#hear(bytes, options)
    return { ...file, seconds: file.samples.length / SAMPLE_RATE }
  }

  /**
   * Decodes a file, and keeps nothing of it but how long it is. Files that are measured leave {@link atOnce} places to such
   * as are decoded, which are not refused for them.
   *
   * @returns seconds, as {@link decode} says them
   * @throws MeshError as {@link decode} does
   */
  async measure(bytes: Uint8Array<ArrayBuffer>, options: AbortOptions = {}): Promise<number> {
    using _counted = this.#admit(bytes, Math.max(1, this.#filesMax - this.atOnce))
    const answer = await this.#ask<MeasuredFile>({ bytes, measured: true, speech: undefined }, options)
    if ('sampleCount' in answer) return answer.sampleCount / SAMPLE_RATE
    return (await this.#requireForeign(answer).measure(bytes, answer, options)) / SAMPLE_RATE
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = this.#threads.map(thread => thread[Symbol.asyncDispose]())
    await Promise.all([...ends, this.#foreign?.[Symbol.asyncDispose]()])
  }

  /** Before it is copied, and not at each thread: a file that ffmpeg has decoded is not refused on its way back. */
  #admit(bytes: Uint8Array<ArrayBuffer>, filesMax: number): Disposable {
    const { bytesMax } = this.limits
    if (bytes.length > bytesMax) {
      throw audioInvalid('too_large', `the file has ${bytes.length} bytes; at most ${bytesMax} are taken`)
    }
    if (this.#files >= filesMax) {
      const message = `${filesMax} audio files wait to be read`
      throw new MeshError('resource_exhausted', message, { hint: 'Try again in some seconds.' })
    }
    this.#files++
    return { [Symbol.dispose]: () => void this.#files-- }
  }

  async #hear(bytes: Uint8Array<ArrayBuffer>, { speech, ...options }: DecodeOptions): Promise<HeardFile> {
    const answer = await this.#ask<HeardFile>({ bytes, measured: false, speech }, options)
    if ('samples' in answer) return answer
    const wave = await this.#requireForeign(answer).decode(bytes, answer, options)
    const heard = await this.#ask<HeardFile>({ bytes: wave, measured: false, speech }, options, [wave.buffer])
    if (!('samples' in heard)) throw new MeshError('internal', 'a wave file was taken for another')
    return { ...heard, container: answer.container, codec: answer.codec }
  }

  #requireForeign(file: ForeignAudio): ForeignDecoder {
    if (this.#foreign === undefined) throw withoutFfmpeg(file)
    return this.#foreign
  }

  /** @param transfer what is handed over to the thread rather than copied */
  async #ask<Answer>(
    task: Omit<AudioTask, 'limits'>,
    options: AbortOptions,
    transfer: readonly ArrayBuffer[] = []
  ): Promise<Answer | ForeignAudio> {
    const [thread] = this.#threads.toSorted((a, b) => a.tasks - b.tasks)
    if (thread === undefined) throw new RangeError('a decoder of audio needs a thread')
    const overrun = (error: TaskOverrun): MeshError => {
      const what = error.limit === 'time' ? `more than ${this.#deadlineMs} ms` : 'too much memory'
      return audioInvalid('too_costly', `the audio took ${what} (${error.progress ?? 'starting'})`, error)
    }
    const { limits } = this
    return await thread.run({ ...task, limits }, { ...options, deadlineMs: this.#deadlineMs, transfer, overrun })
  }
}
