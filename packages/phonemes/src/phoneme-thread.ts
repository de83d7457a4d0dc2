import { type AbortOptions, exhausting, type Scheduler, systemScheduler, TaskThread } from '@resultity/interface'
import type { PhonemizeOptions, SpokenText } from './phonemize.ts'

/** What the thread is asked. */
export interface PhonemeTask extends PhonemizeOptions {
  readonly text: string
}

/** The longest text that is said takes a fifth of a second. */
const TASK_MS_MAX = 10_000

const IDLE_MS = 5 * 60_000

const TASKS_MAX = 1024

const tooLong = exhausting('the text could not be read in time', 'Send a shorter text, or try again.')

/** Reads texts away from the event loop, in one thread that has the dictionary. */
export class PhonemeThread extends TaskThread {
  constructor(scheduler: Scheduler = systemScheduler) {
    super({
      url: new URL('./phoneme-worker.js', import.meta.url),
      tasksMax: TASKS_MAX,
      idleMs: IDLE_MS,
      heapMib: 128,
      tasks: 'texts',
      scheduler
    })
  }

  /**
   * What {@link phonemize} gives of a text, by the CMU dictionary.
   *
   * @throws MeshError `resource_exhausted` when too many wait, or when it takes too long; `unavailable` after disposal
   */
  async phonemize(text: string, how: PhonemizeOptions = {}, options: AbortOptions = {}): Promise<SpokenText> {
    const task: PhonemeTask = { ...how, text }
    return await this.run<SpokenText>(task, { ...options, deadlineMs: TASK_MS_MAX, overrun: tooLong, finishes: true })
  }
}
