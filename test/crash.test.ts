import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '@resultity/test-postgres'
import { testSeed } from '@resultity/test-property'
import { type Swarm, startSwarm } from '@resultity/testkit'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { addPiece, logOf, submit, type Taken, type Target } from './crash-client.ts'
import { KINDS, lasting, MODELS, textsOf, type Work, works } from './crash-works.ts'

/**
 * What was acknowledged survives `kill -9` of the coordinator, again and again. A few kills each time; the whole
 * exercise of docs/store.md is `RESULTITY_CRASH_KILLS=20 RESULTITY_CRASH_JOBS=200`.
 */
const KILLS = Number(process.env.RESULTITY_CRASH_KILLS ?? 2)
const JOBS = Number(process.env.RESULTITY_CRASH_JOBS ?? KINDS)
/** Starting swarms, and leases that have to run out, take their time on a busy machine. */
t.setTimeout(60 * 60_000)

/** The longest time between two kills. */
const CALM_MS = 1500

const source = fileURLToPath(new URL('../../packages/model/', import.meta.url))

/** The models to serve; the twin is the same weights under another name. */
async function modelsIn(directory: string): Promise<string[]> {
  const twin = join(directory, MODELS.twin)
  await cp(join(source, 'models/tiny-chat'), twin, { recursive: true })
  return [MODELS.chat, `file:${twin}`, `file:${join(source, 'test/fixtures', MODELS.encoder)}`]
}

let calm: Promise<readonly unknown[]> | undefined

/** What a calm mesh answers to the works: the first mesh that is to know is asked, once. */
function undisturbed(target: Target): Promise<readonly unknown[]> {
  const asked = works.slice(0, Math.max(JOBS, KINDS))
  calm ??= Promise.all(asked.map(async work => lasting(await (await submit(target, work)).answer(target))))
  return calm
}

async function killAgainAndAgain(swarm: Swarm): Promise<void> {
  const pauses = fc.sample(fc.integer({ min: 0, max: CALM_MS }), { seed: testSeed(), numRuns: KILLS })
  for (const pause of pauses) {
    await delay(pause)
    await swarm.restartCoordinator('SIGKILL')
  }
}

async function check(t: Test, target: Target, taken: Taken, expected: unknown): Promise<void> {
  const { work, jobId } = taken
  const answer = await taken.answer(target)
  t.same(lasting(answer), expected, `${work.name}: the answer is the undisturbed one`)
  if (jobId === undefined) return
  const log = await logOf(target, jobId)
  t.same(
    log.map(({ id }) => id),
    log.map((_, index) => index + 1),
    `${work.name}: no entry is missing or doubled`
  )
  t.same(
    log.filter(({ end }) => end !== undefined).map(({ type }) => type),
    ['succeeded'],
    `${work.name}: it ended once`
  )
  const logged = new Map<number, string>()
  for (const { type, data } of log) if (type === 'choice' || type === 'piece') addPiece(logged, data)
  const texts = textsOf(answer)
  for (const [index, text] of logged) t.equal(text, texts[index], `${work.name}: so is its log`)
  const followed = await taken.followed()
  if (followed !== undefined) t.same([...followed.values()], texts, `${work.name}: and what its reader was sent`)
}

/** None of the requests is what ends the coordinator. */
const patience = `--job-crashes-max=${KILLS + 1}`

async function survives(t: Test, args: readonly string[]): Promise<void> {
  const coordinatorArgs = [...args, patience]
  const models = await modelsIn(t.testdir())
  await using swarm = await startSwarm({ nodes: 3, stages: 2, models, coordinatorArgs })
  t.comment(`seed ${testSeed()}, ${KILLS} kills, ${JOBS} requests`)
  const expected = await undisturbed(swarm)
  const killing = killAgainAndAgain(swarm)
  const all: Taken[] = []
  for (let count = 0; count < JOBS; count++) {
    all.push(await submit(swarm, works[count % works.length] as Work))
    await delay((KILLS * CALM_MS) / 2 / JOBS)
  }
  await killing
  for (const [index, taken] of all.entries()) await check(t, swarm, taken, expected[index % works.length])
}

// leases that run out are waited for side by side
t.jobs = 3
const beside = { buffered: true }

t.test('an acknowledged request survives the coordinator on SQLite', beside, async t => survives(t, []))

const server = await startPostgres()
t.teardown(() => server.stop())

t.test('and on PostgreSQL', beside, async t => {
  await survives(t, [`--store=${await server.createDatabase()}`])
})

t.test('what one coordinator took, another on the same database ends', beside, async t => {
  const directory = t.testdir()
  const coordinatorArgs = [`--store=${await server.createDatabase()}`, `--content=${join(directory, 'content')}`]
  const models = await modelsIn(directory)
  await using first = await startSwarm({ nodes: 2, stages: 2, models, coordinatorArgs })
  await using second = await startSwarm({ nodes: 2, stages: 2, models, coordinatorArgs })
  const expected = await undisturbed(second)
  // a reader of the first has nowhere to go on
  const asked = works.slice(0, KINDS).map((work): Work => (work.way === 'stream' ? { ...work, way: 'async' } : work))
  const all: Taken[] = []
  for (const work of asked) all.push(await submit(first, work))
  process.kill(first.coordinator.pid, 'SIGKILL')
  for (const [index, taken] of all.entries()) await check(t, second, taken, expected[index])
})
