import { type Scheduler, systemScheduler, TaskThread } from '@resultity/interface'
import type { AudioFormat } from './audio-encoder.ts'

/** What the thread is asked. */
export interface EncodingTask {
  /** Which file. */
  readonly id: number
  readonly format: AudioFormat
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

/** Sound that is being written. Dispose of one that was not finished. */
export interface SoundWriter extends Disposable {
  /**
   * @param samples s16, one channel
   * @returns what is complete of the file
   * @throws MeshError `resource_exhausted`, `unavailable` when the thread has ended; TaskOverrun
   */
  write(samples: Int16Array): Promise<Uint8Array>
  /** @returns the rest of the file @throws MeshError as {@link write} */
  finish(): Promise<Uint8Array>
}

/** Encodes sound away from the event loop, in one thread for all. */
export class EncodingThread implements AsyncDisposable {
  readonly #thread: TaskThread
  #files = 0

  constructor(scheduler: Scheduler = systemScheduler) {
    this.#thread = new TaskThread({
      url: new URL('./sound-encoder-worker.js', import.meta.url),
      tasksMax: TASKS_MAX,
      idleMs: IDLE_MS,
      heapMib: 256,
      tasks: 'sounds',
      scheduler
    })
  }

  /** @param rate of the samples, in Hz */
  open(format: AudioFormat, rate: number): SoundWriter {
    const id = this.#files++
    let begins = true
    let over = false
    const run = (task: Partial<EncodingTask>): Promise<Uint8Array> => {
      const whole: EncodingTask = { id, format, rate, samples: undefined, begins, ends: false, closes: false, ...task }
      begins = false
      // no signal: that would end the thread, and with it what others write
      return this.#thread.run<Uint8Array>(whole, { deadlineMs: ENCODE_MS_MAX })
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
    await this.#thread[Symbol.asyncDispose]()
  }
}
