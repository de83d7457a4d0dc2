import { setImmediate } from 'node:timers/promises'
import type { Job, JobEvent } from '@resultity/store'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { JobFollower } from '../src/job-follower.ts'

/** A log that grows in every way that there is, and counts how often the store is asked for it. */
class Log {
  reads = 0
  readonly #stored: JobEvent[] = []
  #unstored: JobEvent[] = []
  #state: Job['state'] = 'running'
  readonly follower = new JobFollower('req_1', {
    store: {
      events: async (_id: string, after: number, limit: number) => {
        this.reads++
        await setImmediate()
        return this.#stored.filter(event => event.number > after).slice(0, limit)
      },
      get: async () => this.#job()
    },
    unstored: () => this.#unstored
  })

  get length(): number {
    return this.#stored.length + this.#unstored.length
  }

  /** Shown at once, stored later: an answer that ends with its client. */
  show(): void {
    const event = this.#next()
    this.#unstored.push(event)
    this.follower.push([event])
  }

  store(): void {
    this.#stored.push(...this.#unstored)
    this.#unstored = []
  }

  /** Stored, then shown: an answer that goes on. */
  add(): void {
    this.store()
    const event = this.#next()
    this.#stored.push(event)
    this.follower.push([event])
  }

  /** By another coordinator: this process hears that something changed. */
  async addElsewhere(): Promise<void> {
    this.store()
    this.#stored.push(this.#next())
    await this.follower.check()
  }

  end(): void {
    this.store()
    this.#state = 'succeeded'
    this.#stored.push(this.#next())
    this.follower.end(this.#job())
  }

  #next(): JobEvent {
    return { number: this.length + 1, type: 'piece', data: null }
  }

  #job(): Job {
    return { id: 'req_1', state: this.#state, eventCount: this.#stored.length } as Job
  }
}

async function follow(log: Log, after = 0): Promise<number[]> {
  const numbers: number[] = []
  for await (const { number } of log.follower.entries(after)) numbers.push(number)
  return numbers
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

t.test('however a log grows, a follower sees each entry once and in order', async t => {
  const step = fc.constantFrom('show', 'store', 'add', 'addElsewhere', 'wait')
  await assertProperty(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(5), async (steps, seen) => {
      const log = new Log()
      for (let i = 0; i < seen; i++) log.add()
      const followed = follow(log, seen)
      for (const one of steps) {
        if (one === 'wait') await setImmediate()
        else await log[one]()
      }
      log.end()
      const numbers = await followed
      if (numbers.join() !== range(seen + 1, log.length).join()) throw new Error(`saw ${numbers} of ${log.length}`)
    }),
    { numRuns: 200 }
  )
  t.pass()
})

t.test('the store is not asked for what was shown', async t => {
  const log = new Log()
  const followed = follow(log)
  await setImmediate()
  await setImmediate()
  const before = log.reads
  for (let i = 0; i < 100; i++) {
    log.show()
    await setImmediate()
  }
  t.equal(log.reads, before)
  log.end()
  t.same(await followed, range(1, 101))
})

t.test('a reader that is slow misses nothing', async t => {
  const log = new Log()
  log.show()
  const numbers: number[] = []
  for await (const { number } of log.follower.entries(0)) {
    if (numbers.length === 0) {
      // more than is kept for anybody
      for (let i = 0; i < 3000; i++) log.show()
      log.end()
    }
    numbers.push(number)
  }
  t.same(numbers, range(1, 3002))
})

t.test('a reader that leaves is let go', async t => {
  const log = new Log()
  const leaving = new AbortController()
  const entries = log.follower.entries(0, { signal: leaving.signal })
  const next = entries.next()
  leaving.abort(new Error('left'))
  await t.rejects(next, /left/)
})
