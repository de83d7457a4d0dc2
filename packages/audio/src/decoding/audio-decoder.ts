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
import type { AudioAnswer, AudioTask, HeardFile } from './audio-task.ts'
import { withoutFfmpeg } from './foreign-audio.ts'
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

  /**
   * @param bytes the whole file, whatever its name; it is copied
   * @throws MeshError `invalid_request` of the field `file`, with an `AudioFault` in `details.fault`;
   * `resource_exhausted` when too many files wait; `unavailable` when the thread ended, or ffmpeg does not run; the
   * signal's reason
   */
  async decode(bytes: Uint8Array<ArrayBuffer>, options: DecodeOptions = {}): Promise<DecodedAudio> {
    const { limits } = this
    // before it is copied
    if (bytes.length > limits.bytesMax) {
      throw audioInvalid('too_large', `the file has ${bytes.length} bytes; at most ${limits.bytesMax} are taken`)
    }
    // here and not at each thread: a file that ffmpeg has decoded is not refused on its way back
    if (this.#files >= this.#filesMax) {
      const message = `${this.#filesMax} audio files wait to be read`
      throw new MeshError('resource_exhausted', message, { hint: 'Try again in some seconds.' })
    }
    this.#files++
    try {
      const file = await this.#hear(bytes, options)
      return { ...file, seconds: file.samples.length / SAMPLE_RATE }
    } finally {
      this.#files--
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = this.#threads.map(thread => thread[Symbol.asyncDispose]())
    await Promise.all([...ends, this.#foreign?.[Symbol.asyncDispose]()])
  }

  async #hear(bytes: Uint8Array<ArrayBuffer>, options: DecodeOptions): Promise<HeardFile> {
    const { signal } = options
    const answer = await this.#ask(bytes, options)
    if ('samples' in answer) return answer
    if (this.#foreign === undefined) throw withoutFfmpeg(answer)
    const wave = await this.#foreign.decode(bytes, answer, { ...(signal && { signal }) })
    const heard = await this.#ask(wave, options, [wave.buffer])
    if (!('samples' in heard)) throw new MeshError('internal', 'a wave file was taken for another')
    return { ...heard, container: answer.container, codec: answer.codec }
  }

  /** @param transfer what is handed over to the thread rather than copied */
  async #ask(
    bytes: Uint8Array<ArrayBuffer>,
    { speech, ...options }: DecodeOptions,
    transfer: readonly ArrayBuffer[] = []
  ): Promise<AudioAnswer> {
    const [thread] = this.#threads.toSorted((a, b) => a.tasks - b.tasks)
    if (thread === undefined) throw new RangeError('a decoder of audio needs a thread')
    const task: AudioTask = { bytes, limits: this.limits, speech }
    const overrun = (error: TaskOverrun): MeshError => {
      const what = error.limit === 'time' ? `more than ${this.#deadlineMs} ms` : 'too much memory'
      return audioInvalid('too_costly', `the audio took ${what} (${error.progress ?? 'starting'})`, error)
    }
    return await thread.run<AudioAnswer>(task, { ...options, deadlineMs: this.#deadlineMs, transfer, overrun })
  }
}
