import { type AbortOptions, MeshError, type Scheduler, systemScheduler, TaskThread } from '@resultity/interface'
import { AacWriter } from '../ffmpeg/aac-writer.ts'
import type { AudioFormat, OwnFormat } from './audio-encoder.ts'

/** What the thread is asked. */
export interface EncodingTask {
  /** Which file. */
  readonly id: number
  readonly format: OwnFormat
  readonly rate: number
  readonly samples: Int16Array | undefined
  /** This is the first of a file: there is no encoder for it yet. */
  readonly begins: boolean
  /** This is the last of a file. */
  readonly ends: boolean
  /** The file is not wanted any more. */
  readonly closes: boolean
}

/** A sentence of the longest kind takes a tenth of a second. */
const ENCODE_MS_MAX = 30_000

/** The thread keeps what a file needs to go on: it outlives the pauses within one. */
const IDLE_MS = 15 * 60_000

const TASKS_MAX = 4096

/** Processes of ffmpeg at once, one for each file. */
const PROCESSES_MAX = 64

/** Sound that is being written. Dispose of one that was not finished. */
export interface SoundWriter extends Disposable {
  /**
   * @param samples s16, one channel
   * @returns what is complete of the file
   * @throws MeshError `resource_exhausted` when too many wait, or when it takes too long; `unavailable` when the thread has ended
   */
  write(samples: Int16Array): Promise<Uint8Array>
  /** @returns the rest of the file @throws MeshError as {@link write} */
  finish(): Promise<Uint8Array>
}

export interface EncodingThreadInit {
  readonly scheduler?: Scheduler
  /** The file of an ffmpeg program, as `findFfmpeg` finds it: it writes AAC. Default `false`: that is not written. */
  readonly ffmpeg?: string | false
}

/** Encodes sound away from the event loop, in one thread for all; AAC in a process for each file. */
export class EncodingThread implements AsyncDisposable {
  readonly #thread: TaskThread
  readonly #scheduler: Scheduler
  readonly #ffmpeg: string | false
  readonly #processes = new Set<AacWriter>()
  #files = 0

  constructor({ scheduler = systemScheduler, ffmpeg = false }: EncodingThreadInit = {}) {
    this.#scheduler = scheduler
    this.#ffmpeg = ffmpeg
    this.#thread = new TaskThread({
      url: new URL('./sound-encoder-worker.js', import.meta.url),
      tasksMax: TASKS_MAX,
      idleMs: IDLE_MS,
      heapMib: 256,
      tasks: 'sounds',
      scheduler
    })
  }

  /** Whether it writes this form. */
  writes(format: AudioFormat): boolean {
    return format !== 'aac' || this.#ffmpeg !== false
  }

  /**
   * @param rate of the samples, in Hz
   * @throws MeshError `unavailable` for a form that it does not write; `resource_exhausted` where many are written by ffmpeg
   */
  open(format: AudioFormat, rate: number, options: AbortOptions = {}): SoundWriter {
    if (format === 'aac') return this.#openAac(rate, options)
    const id = this.#files++
    let begins = true
    let over = false
    const run = (task: Partial<EncodingTask>): Promise<Uint8Array> => {
      const whole: EncodingTask = { id, format, rate, samples: undefined, begins, ends: false, closes: false, ...task }
      begins = false
      // no signal: that would end the thread, and with it what others write
      return this.#thread.run<Uint8Array>(whole, { deadlineMs: ENCODE_MS_MAX, overrun: tooLong })
    }
    return {
      write: samples => run({ samples }),
      finish: () => {
        over = true
        return run({ ends: true })
      },
      [Symbol.dispose]: () => {
        if (over || begins) return
        over = true
        // a thread that has ended has closed it
        run({ closes: true }).catch(() => {})
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const writer of this.#processes) writer[Symbol.dispose]()
    await this.#thread[Symbol.asyncDispose]()
  }

  #openAac(rate: number, options: AbortOptions): SoundWriter {
    const program = this.#ffmpeg
    if (program === false) {
      throw new MeshError('unavailable', 'AAC is written by ffmpeg, which is not set up here', {
        hint: 'Ask for mp3, opus, flac, wav or pcm.'
      })
    }
    if (this.#processes.size >= PROCESSES_MAX) {
      throw new MeshError('resource_exhausted', `${PROCESSES_MAX} sounds are written as AAC already`, {
        hint: 'Try again later, or ask for another form.'
      })
    }
    const writer = new AacWriter({ program, rate, scheduler: this.#scheduler, ...options })
    this.#processes.add(writer)
    return {
      write: samples => writer.write(samples),
      finish: () => writer.finish(),
      [Symbol.dispose]: () => {
        this.#processes.delete(writer)
        writer[Symbol.dispose]()
      }
    }
  }
}

function tooLong(cause: Error): MeshError {
  return new MeshError('resource_exhausted', 'the sound could not be written in time', {
    cause,
    hint: 'Try again, or send a shorter text.'
  })
}
