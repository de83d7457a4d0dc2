import { exhausting, type Scheduler, systemScheduler, TaskThread } from '@resultity/interface'
import type { PictureNumbers, PictureSums, SummedState, SummedStep } from './step-sums.ts'

/** What the thread is asked; it keeps nothing from one to the next. */
export interface SumsTask {
  readonly numbers: PictureNumbers
  readonly state?: SummedState['state']
  /** Of a step that is to be ended. */
  readonly predictions?: readonly Float32Array[]
}

/** A step of the largest pictures takes some tens of milliseconds on a small machine. */
const STEP_MS_MAX = 20_000

/** Waiting steps: one of each picture that is drawn by several nodes. */
const TASKS_MAX = 256

const tooLong = exhausting(
  'a step of a picture could not be put together in time',
  'Try again, or ask for a smaller picture: the coordinator has too much to do.'
)

/** Makes the sums of pictures away from the event loop, in one thread that pictures take turns in. */
export class SumsThread extends TaskThread {
  constructor(scheduler: Scheduler = systemScheduler) {
    super({
      url: new URL('./sums-worker.js', import.meta.url),
      tasksMax: TASKS_MAX,
      heapMib: 128,
      tasks: 'steps of pictures',
      scheduler
    })
  }

  /**
   * The sums of one picture, which begins as noise alone. Each throws MeshError `resource_exhausted` when too many wait, or
   * when it takes too long; `unavailable` after disposal.
   */
  of(numbers: PictureNumbers): PictureSums {
    const run = async <Result>(task: Omit<SumsTask, 'numbers'>): Promise<Result> =>
      await this.run<Result>({ numbers, ...task }, { deadlineMs: STEP_MS_MAX, overrun: tooLong })
    return {
      begin: async () => await run<SummedState>({}),
      resume: async state => await run<SummedState>({ state }),
      next: async (state, predictions) => await run<SummedStep>({ state, predictions })
    }
  }
}
