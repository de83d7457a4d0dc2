import { type AbortOptions, exhausting, type Scheduler, systemScheduler, TaskThread } from '@resultity/interface'
import type { Picture } from './picture.ts'

/** What the thread is asked. */
export interface BicubicTask {
  readonly picture: Picture
  readonly width: number
  readonly height: number
}

/** 16 million pixels take less than one on a small machine. */
const PICTURE_MS_MAX = 20_000

/** Waiting pictures; each has its bytes with it. */
const TASKS_MAX = 64

const tooLong = exhausting(
  'a picture could not be brought to another size in time',
  'Try again, or send a smaller one: the coordinator has too much to do.'
)

/** Resizes pictures away from the event loop, in one thread. */
export class BicubicThread extends TaskThread {
  constructor(scheduler: Scheduler = systemScheduler) {
    super({
      url: new URL('./bicubic-worker.js', import.meta.url),
      tasksMax: TASKS_MAX,
      heapMib: 64,
      tasks: 'pictures',
      scheduler
    })
  }

  /**
   * What `resizeBicubic` makes of a picture.
   *
   * @throws MeshError `resource_exhausted` when too many wait, or when it takes too long; `unavailable` after disposal; the
   *   signal's reason
   */
  async resize(
    picture: Picture,
    { width, height }: Pick<Picture, 'width' | 'height'>,
    options: AbortOptions = {}
  ): Promise<Picture> {
    // a copy: memory of the library that decodes is not to be handed over
    const rgb = new Uint8Array(picture.rgb)
    const task: BicubicTask = { picture: { ...picture, rgb }, width, height }
    return await this.run<Picture>(task, {
      ...options,
      deadlineMs: PICTURE_MS_MAX,
      transfer: [rgb.buffer],
      overrun: tooLong,
      finishes: true
    })
  }
}
