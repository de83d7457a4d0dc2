import { type AbortOptions, exhausting, type Scheduler, systemScheduler, TaskThread } from '@resultity/interface'

/** What the thread is asked. */
export interface MelTask {
  readonly samples: Float32Array
  readonly bins: number
}

/** A window takes some tens of milliseconds. */
const WINDOW_MS_MAX = 10_000

const TASKS_MAX = 256

const tooLong = exhausting(
  'the spectrogram of a recording could not be made in time',
  'Try again: the node has too much to do.'
)

/** Makes spectrograms away from the event loop, in one thread. */
export class MelThread extends TaskThread {
  constructor(scheduler: Scheduler = systemScheduler) {
    super({
      url: new URL('./mel-worker.js', import.meta.url),
      tasksMax: TASKS_MAX,
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
  async logMel(samples: Float32Array<ArrayBuffer>, bins: number, options: AbortOptions = {}): Promise<Float32Array> {
    const task: MelTask = { samples, bins }
    return await this.run<Float32Array>(task, {
      ...options,
      deadlineMs: WINDOW_MS_MAX,
      transfer: [samples.buffer],
      overrun: tooLong,
      finishes: true
    })
  }
}
