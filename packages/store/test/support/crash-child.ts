import { type ClaimedJob, type DatabaseInit, type JobStore, openDatabase, openJobStore } from '../../src/index.ts'
import { submission } from './submissions.ts'

// Works on jobs until it is killed, and says on stdout what the store has acknowledged, as soon as it has.
export type Acknowledged =
  | { readonly type: 'submitted'; readonly id: string }
  | { readonly type: 'appended'; readonly id: string; readonly last: number; readonly tokens: number }
  | { readonly type: 'finished'; readonly id: string }

export const TOKENS_PER_JOB = 12

const LOOPS = 16
const owner = `child ${process.pid}`
const LEASE_MS = 600_000

function say(acknowledged: Acknowledged): void {
  process.stdout.write(`${JSON.stringify(acknowledged)}\n`)
}

async function next(store: JobStore): Promise<ClaimedJob> {
  const [waiting] = await store.claim(owner, LEASE_MS, [{ lane: 'tiny-chat', class: 'interactive', count: 1 }])
  if (waiting !== undefined) return waiting
  const { job, claim } = await store.submit(submission({ attemptsMax: 1 }), { owner, leaseMs: LEASE_MS })
  say({ type: 'submitted', id: job.id })
  return claim === undefined ? next(store) : { job, claim }
}

/** Goes on where the log ends: its tokens are 0, 1, 2, … in packs of one to three. */
async function work(store: JobStore): Promise<void> {
  const { job, claim } = await next(store)
  const before = await store.events(job.id, 0, 1000)
  let tokens = before.filter(({ type }) => type === 'token').length
  let last = job.eventCount
  while (tokens < TOKENS_PER_JOB) {
    const pack = Array.from({ length: 1 + (tokens % 3) }, (_, index) => ({ type: 'token', data: tokens + index }))
    last = await store.append(claim, last, pack)
    tokens += pack.length
    say({ type: 'appended', id: job.id, last, tokens })
  }
  await store.finish(claim, { state: 'succeeded', result: { status: 200, headers: {}, body: tokens }, usage: null })
  say({ type: 'finished', id: job.id })
}

if (process.argv[2] !== undefined) {
  const init: DatabaseInit = JSON.parse(process.argv[2])
  const store = await openJobStore(await openDatabase(init), { interruptionsMax: 100 })
  await store.sweep()
  await Promise.all(
    Array.from({ length: LOOPS }, async () => {
      for (;;) await work(store)
    })
  )
}
