import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { startPostgres } from '@resultity/test-postgres'
import { type Swarm, startSwarm } from '@resultity/testkit'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { eventually } from './mesh-state.ts'

/**
 * What was acknowledged survives `kill -9` of the coordinator, again and again. A few kills each time; the whole
 * exercise of docs/store.md is `RESULTITY_CRASH_KILLS=20 RESULTITY_CRASH_JOBS=200`.
 */
const KILLS = Number(process.env.RESULTITY_CRASH_KILLS ?? 2)
const JOBS = Number(process.env.RESULTITY_CRASH_JOBS ?? 16)
const SEED = Number(process.env.RESULTITY_CRASH_SEED ?? Date.now() % 1_000_000)
/** Starting swarms, and leases that have to run out, take their time on a busy machine. */
t.setTimeout(15 * 60_000)

/** The longest time between two kills. */
const CALM_MS = 1500

interface Work {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
}

const questions = ['What is the capital of France?', 'What is the capital of Italy?', 'Who are you?', 'Hello!']

const chat = (content: string, fields: object): Work => ({
  path: '/v1/chat/completions',
  body: { model: 'tiny-chat', messages: [{ role: 'user', content }], max_tokens: 24, ignore_eos: true, ...fields }
})

/** Every kind of request whose answer can be compared: greedy or seeded, whole or streamed. */
const works: readonly Work[] = questions.flatMap(content => [
  chat(content, { temperature: 0 }),
  chat(content, { temperature: 0, stream: true }),
  chat(content, { temperature: 1, seed: 7 }),
  chat(content, { temperature: 1.5, seed: 8, n: 2, stream: true })
])

/** What must be equal however often the coordinator died: the answer without who gave it and how fast. */
function answerOf(body: { choices: unknown; usage: unknown }): unknown {
  return { choices: body.choices, usage: body.usage }
}

/** Sends until it is acknowledged. Without an answer nobody knows whether it was taken; the key makes that safe. */
async function submit(swarm: Swarm, { path, body }: Work): Promise<string> {
  const headers = { 'content-type': 'application/json', prefer: 'respond-async', 'idempotency-key': randomUUID() }
  for (;;) {
    try {
      const response = await fetch(`${swarm.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
      const answer = await response.json()
      if (response.status === 202) return answer.id
      if (response.status !== 503) throw new Error(`${response.status} ${JSON.stringify(answer)}`)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
    }
    await delay(50)
  }
}

interface Entry {
  readonly number: number
  readonly type: string
  readonly data: { readonly index?: number; readonly delta?: { readonly content?: string } }
}

async function logOf(swarm: Swarm, id: string): Promise<Entry[]> {
  const text = await (await fetch(`${swarm.url}/v1/requests/${id}/events`)).text()
  const blocks = text.split('\n\n').filter(block => block !== '' && !block.startsWith(':'))
  return blocks.map(block => {
    const [number, type = '', data = ''] = block.split('\n').map(line => line.replace(/^\w+: /, ''))
    return { number: Number(number), type, data: JSON.parse(data) }
  })
}

async function undisturbed(swarm: Swarm): Promise<unknown[]> {
  return Promise.all(
    works.map(async ({ path, body }) => {
      const whole = JSON.stringify({ ...body, stream: false })
      const response = await fetch(`${swarm.url}${path}`, { method: 'POST', body: whole })
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
      return answerOf(await response.json())
    })
  )
}

async function killAgainAndAgain(swarm: Swarm): Promise<void> {
  const pauses = fc.sample(fc.integer({ min: 0, max: CALM_MS }), { seed: SEED, numRuns: KILLS })
  for (const pause of pauses) {
    await delay(pause)
    await swarm.restartCoordinator('SIGKILL')
  }
}

async function checkJob(t: Test, swarm: Swarm, id: string, work: Work, expected: unknown): Promise<void> {
  const log = await logOf(swarm, id)
  const name = `${id} ${JSON.stringify(work.body).slice(0, 120)}`
  t.same(
    log.map(entry => entry.number),
    log.map((_, index) => index + 1),
    `${name}: no entry is missing or doubled`
  )
  const ends = log.filter(entry => ['succeeded', 'failed', 'cancelled', 'expired'].includes(entry.type))
  t.same(
    ends.map(entry => entry.type),
    ['succeeded'],
    `${name}: it ended once`
  )
  const result = await (await fetch(`${swarm.url}/v1/requests/${id}/result`)).json()
  t.same(answerOf(result), expected, `${name}: the answer is the undisturbed one`)
  const choices: { message: { content: string } }[] = result.choices
  for (const [index, choice] of choices.entries()) {
    const pieces = log.filter(entry => entry.type === 'choice' && entry.data.index === index)
    t.equal(pieces.map(entry => entry.data.delta?.content ?? '').join(''), choice.message.content, 'so is its log')
  }
}

async function survives(t: Test, coordinatorArgs: readonly string[]): Promise<void> {
  await using swarm = await startSwarm({ nodes: 3, stages: 2, coordinatorArgs })
  t.comment(`seed ${SEED}, ${KILLS} kills, ${JOBS} requests`)
  const expected = await undisturbed(swarm)
  const killing = killAgainAndAgain(swarm)
  const jobs: { readonly id: string; readonly work: number }[] = []
  for (let count = 0; count < JOBS; count++) {
    const work = count % works.length
    jobs.push({ id: await submit(swarm, works[work] as Work), work })
    await delay((KILLS * CALM_MS) / 2 / JOBS)
  }
  await killing
  for (const { id, work } of jobs) {
    const read = async () => (await fetch(`${swarm.url}/v1/requests/${id}`)).json()
    await eventually(id, read, ({ status }) => status !== 'queued' && status !== 'running')
    await checkJob(t, swarm, id, works[work] as Work, expected[work])
  }
}

t.test('an acknowledged request survives the coordinator on SQLite', async t => survives(t, []))

t.test('and on PostgreSQL', async t => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  await survives(t, [`--store=${await server.createDatabase()}`])
})

t.test('what one coordinator took, another on the same database ends', async t => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const coordinatorArgs = [`--store=${await server.createDatabase()}`]
  await using first = await startSwarm({ nodes: 2, stages: 2, coordinatorArgs })
  await using second = await startSwarm({ nodes: 2, stages: 2, coordinatorArgs })
  const expected = await undisturbed(second)
  const jobs: { readonly id: string; readonly work: number }[] = []
  for (const work of works.keys()) jobs.push({ id: await submit(first, works[work] as Work), work })
  process.kill(first.coordinator.pid, 'SIGKILL')
  for (const { id, work } of jobs) {
    const read = async () => (await fetch(`${second.url}/v1/requests/${id}`)).json()
    await eventually(id, read, ({ status }) => status !== 'queued' && status !== 'running')
    await checkJob(t, second, id, works[work] as Work, expected[work])
  }
})
