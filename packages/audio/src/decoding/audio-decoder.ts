import { type AbortOptions, type Scheduler, TaskOverrun, TaskThread } from '@resultity/interface'
import { audioInvalid } from '../audio-invalid.ts'
import { type AudioLimits, DEFAULT_AUDIO_LIMITS, SAMPLE_RATE } from '../audio-limits.ts'
import type { SampleSpan } from '../voice/sample-span.ts'
import type { SpeechRules } from '../voice/speech-spans.ts'
import type { AudioAnswer, AudioTask } from './audio-task.ts'
import type { AudioContainer } from './sniff.ts'

/** Two files at once, which use two processors: the coordinator has other work. */
const THREADS_MAX = 2

/** Files that may wait for a thread; each is in memory. */
const WAITING_MAX = 8

/** Four hours take some minutes on a slow machine. */
const DEADLINE_MS = 15 * 60_000

/** Decoders hold some 20 MB, and start in some 100 ms. */
const IDLE_MS = 60_000

/** Objects of one file; its samples are not among them. */
const HEAP_MIB = 256

export interface AudioDecoderInit {
  /** Files that are decoded at once. Default 2. */
  readonly threadsMax?: number
  /** Files that may wait for each thread. Default 8. */
  readonly waitingMax?: number
  /** What files may cost. Default {@link DEFAULT_AUDIO_LIMITS}. */
  readonly limits?: Partial<AudioLimits>
  /** For one file, from when its turn has come. Default 900,000. */
  readonly deadlineMs?: number
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
 * thread and nothing else; the next file has another one.
 */
export class AudioDecoder implements AsyncDisposable {
  readonly limits: AudioLimits
  readonly #threads: readonly TaskThread[]
  readonly #deadlineMs: number

  constructor(init: AudioDecoderInit = {}) {
    const { threadsMax = THREADS_MAX, waitingMax = WAITING_MAX, deadlineMs = DEADLINE_MS, scheduler } = init
    this.limits = { ...DEFAULT_AUDIO_LIMITS, ...init.limits }
    this.#deadlineMs = deadlineMs
    this.#threads = Array.from(
      { length: threadsMax },
      () =>
        new TaskThread({
          url: new URL('./audio-worker.js', import.meta.url),
          tasksMax: waitingMax + 1,
          idleMs: IDLE_MS,
          heapMib: HEAP_MIB,
          tasks: 'audio files',
          ...(scheduler === undefined ? {} : { scheduler })
        })
    )
  }

  /**
   * @param bytes the whole file, whatever its name; it is copied
   * @throws MeshError `invalid_request` of the field `file`, with an `AudioFault` in `details.fault`;
   * `resource_exhausted` when too many files wait; `unavailable` when the thread ended; the signal's reason
   */
  async decode(bytes: Uint8Array<ArrayBuffer>, options: DecodeOptions = {}): Promise<DecodedAudio> {
    const { limits } = this
    // before it is copied
    if (bytes.length > limits.bytesMax) {
      throw audioInvalid('too_large', `the file has ${bytes.length} bytes; at most ${limits.bytesMax} are taken`)
    }
    const [thread] = this.#threads.toSorted((a, b) => a.tasks - b.tasks)
    const task: AudioTask = { bytes, limits, speech: options.speech }
    const { signal } = options
    try {
      const running = thread?.run<AudioAnswer>(task, { deadlineMs: this.#deadlineMs, ...(signal && { signal }) })
      if (running === undefined) throw new RangeError('a decoder of audio needs a thread')
      const answer = await running
      return { ...answer, seconds: answer.samples.length / SAMPLE_RATE }
    } catch (error) {
      if (!(error instanceof TaskOverrun)) throw error
      const what = error.limit === 'time' ? `more than ${this.#deadlineMs} ms` : 'too much memory'
      throw audioInvalid('too_costly', `the audio took ${what} (${error.progress ?? 'starting'})`, error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map(thread => thread[Symbol.asyncDispose]()))
  }
}
