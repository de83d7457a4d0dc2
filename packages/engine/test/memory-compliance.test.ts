import { setImmediate } from 'node:timers/promises'
import { type Scheduler, systemScheduler } from '@resultity/interface'
import { answerOf, MemoryEngine } from '@resultity/test-mesh'
import t from 'tap'
import { engineCompliance } from './compliance.ts'
import { END_TOKEN } from './tiny-chat.ts'

/** An answer of a pipeline in these tests has no end token, and no more tokens. */
const TOKENS_MAX = 64

/**
 * The machine's time, but a wait of less than a millisecond is one turn of the event loop: a timer would make it one, and
 * these are ten thousands of runs.
 */
const scheduler: Scheduler = {
  ...systemScheduler,
  async sleep(ms, options) {
    if (ms >= 1) return await systemScheduler.sleep(ms, options)
    await setImmediate()
    options?.signal?.throwIfAborted()
  }
}

engineCompliance(t, {
  name: 'memory',
  create: async () => new MemoryEngine({ scheduler }),
  answer: ({ manifest }, prompt) => answerOf(manifest, prompt, TOKENS_MAX).filter(token => token !== END_TOKEN),
  readsFiles: false
})
