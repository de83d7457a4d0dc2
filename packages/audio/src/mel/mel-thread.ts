import { type AbortOptions, MeshError, type Scheduler, systemScheduler, TaskThread } from '@resultity/interface'

/** What the thread is asked. */
export interface MelTask {
  readonly samples: Float32Array
  readonly bins: number
}

/** A window takes some tens of milliseconds. */
const WINDOW_MS_MAX = 10_000

const IDLE_MS = 60_000

const TASKS_MAX = 256

/** Makes spectrograms away from the event loop, in one thread. */
export class MelThread implements AsyncDisposable {
  readonly #thread: TaskThread

  constructor(scheduler: Scheduler = systemScheduler) {
    this.#thread = new TaskThread({
      url: new URL('./mel-worker.js', import.meta.url),
      tasksMax: TASKS_MAX,
      idleMs: IDLE_MS,
      heapMib: 64,
      tasks: 'recordings',
      scheduler
    })
  }

  /**
   * What `logMel` gives of a window.
   *
   * @param samples f32 at 16 kHz, one channel; the thread takes them over: the caller has them no more
   * @param bins mel bins
   * @returns f32 [bins, 3000]
   * @throws MeshError `resource_exhausted` when too many wait, or when it takes too long; `unavailable` after disposal; the
   *   signal's reason
   */
  async logMel(samples: Float32Array<ArrayBuffer>, bins: number, { signal }: AbortOptions = {}): Promise<Float32Array> {
    signal?.throwIfAborted()
    const task: MelTask = { samples, bins }
    const options = { deadlineMs: WINDOW_MS_MAX, transfer: [samples.buffer], overrun: tooLong }
    // no signal for the thread: it would end with the task, and others wait for it
    const spectrogram = await this.#thread.run<Float32Array>(task, options)
    signal?.throwIfAborted()
    return spectrogram
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]()
  }
}

function tooLong(cause: Error): MeshError {
  return new MeshError('resource_exhausted', 'the spectrogram of a recording could not be made in time', {
    cause,
    hint: 'Try again: the node has too much to do.'
  })
}
