import { type AbortOptions, exhausting, type Scheduler, systemScheduler, TaskThread } from '@resultity/interface'
import type { Picture } from './picture.ts'
import type { PieceSizes } from './picture-pieces.ts'

/** What the thread is asked. */
export interface PiecesTask {
  readonly picture: Picture
  readonly sizes: PieceSizes
}

/** One of 16 million pixels takes some seconds on a small machine. */
const PICTURE_MS_MAX = 60_000

/** Waiting pictures; each has its bytes with it. */
const TASKS_MAX = 32

const tooLong = exhausting(
  'a picture could not be cut into pieces in time',
  'Try again, or send a smaller one: the coordinator has too much to do.'
)

/** Cuts pictures away from the event loop, in one thread. */
export class PiecesThread extends TaskThread {
  constructor(scheduler: Scheduler = systemScheduler) {
    super({
      url: new URL('./pieces-worker.js', import.meta.url),
      tasksMax: TASKS_MAX,
      heapMib: 64,
      tasks: 'pictures',
      scheduler
    })
  }

  /**
   * What `picturePieces` makes of a picture.
   *
   * @throws MeshError `resource_exhausted` when too many wait, or when it takes too long; `unavailable` after disposal; the
   *   signal's reason
   */
  async cut(picture: Picture, sizes: PieceSizes, options: AbortOptions = {}): Promise<Uint8Array[]> {
    // a copy: memory of the library that decodes is not to be handed over
    const rgb = new Uint8Array(picture.rgb)
    const task: PiecesTask = { picture: { ...picture, rgb }, sizes }
    return await this.run<Uint8Array[]>(task, {
      ...options,
      deadlineMs: PICTURE_MS_MAX,
      transfer: [rgb.buffer],
      overrun: tooLong,
      finishes: true
    })
  }
}
