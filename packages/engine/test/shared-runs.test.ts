import { MeshError } from '@resultity/interface'
import t from 'tap'
import { createEngine, type RunOptions, type Stage, type StageSession } from '../src/index.ts'
import { outputOf, stepTogether, watchRuns } from './company.ts'
import { type Fixture, openTinyChat } from './tiny-chat.ts'

const SESSIONS = 5
const CONTEXT = 64

interface Setting {
  readonly stage: Stage
  readonly busy: StageSession
  readonly sessions: readonly StageSession[]
  /** Of a session, by its number: `count` positions from one on. */
  input(session: number, position: number, count: number): Uint32Array | Float32Array
  /** The next step of a session, by its number. */
  step(session: number, options?: RunOptions): () => Promise<Float32Array>
}

/** A stage with sessions of 3, 4, 5, … positions. */
async function withSessions(
  fixture: Fixture,
  run: (setting: Setting) => Promise<void>,
  { first = 0, sessionsMax = SESSIONS + 1 } = {}
): Promise<void> {
  const init = fixture.init({ first, end: 4 }, { sessionsMax, contextLength: CONTEXT })
  await using stage = await (await createEngine()).loadStage(init)
  using open = new DisposableStack()
  const input = (session: number, position: number, count: number): Uint32Array | Float32Array =>
    stage.first
      ? Uint32Array.from({ length: count }, (_, index) => 8 + session * 20 + position + index)
      : Float32Array.from({ length: count * stage.hiddenSize }, (_, index) => Math.sin(session + position + index))
  const sessions: StageSession[] = []
  const busy = open.use(stage.open({ positionsMax: 8 }))
  await busy.run(input(9, 0, 2))
  busy.truncate(0)
  for (let index = 0; index < SESSIONS; index++) {
    const session = open.use(stage.open({ positionsMax: CONTEXT }))
    await session.run(input(index, 0, 3 + index))
    sessions.push(session)
  }
  const sessionOf = (index: number): StageSession => {
    const session = sessions[index]
    if (session === undefined) throw new Error(`there is no session ${index}`)
    return session
  }
  const step = (index: number, options?: RunOptions) => {
    const session = sessionOf(index)
    const next = input(index, session.position, 1)
    return () => session.run(next, options)
  }
  await run({ stage, busy, sessions, step, input })
}

const all = Array.from({ length: SESSIONS }, (_, index) => index)

/** What each session gives alone. */
async function aloneOf(fixture: Fixture, options = {}): Promise<Float32Array[]> {
  const rows: Float32Array[] = []
  await withSessions(
    fixture,
    async ({ step }) => {
      for (const index of all) {
        rows.push(Float32Array.from(await step(index)()))
      }
    },
    options
  )
  return rows
}

t.test('steps that are ready together are one run', async t => {
  await using fixture = await openTinyChat()
  await withSessions(fixture, async ({ stage, busy, step }) => {
    using watch = watchRuns()
    await stepTogether(
      busy,
      stage,
      all.map(index => step(index))
    )
    t.equal(watch.count, 2, 'the chunk they waited for, and one for all')
  })
})

t.test('who is closed or called off in the midst of a run takes nobody along', async t => {
  await using fixture = await openTinyChat()
  const wanted = await aloneOf(fixture)
  await withSessions(fixture, async ({ stage, busy, sessions, step }) => {
    const controller = new AbortController()
    const reason = new MeshError('canceled', 'the client hung up')
    const late: StageSession[] = []
    using _watch = watchRuns(before => {
      if (before !== 1) return undefined
      setImmediate(() => {
        sessions[1]?.[Symbol.dispose]()
        late.push(stage.open({ positionsMax: CONTEXT }))
        controller.abort(reason)
      })
      return undefined
    })
    const steps = all.map(index => step(index, index === 3 ? controller : {}))
    const found = await stepTogether(busy, stage, steps)
    t.match(found[1], { status: 'rejected', reason: { code: 'unavailable' } })
    t.match(found[3], { status: 'rejected', reason })
    for (const index of [0, 2, 4]) t.same(outputOf(found[index]), wanted[index], `session ${index}`)
    await t.rejects(step(3)(), { code: 'engine_failed' })
    const [next] = late
    await next?.run(Uint32Array.of(28, 29, 30, 31))
    t.same(await next?.run(Uint32Array.of(32)), wanted[1], 'who came meanwhile computes the same')
    next?.[Symbol.dispose]()
  })
})

t.test('a run that fails is repeated for each alone, and only who fails then has failed', async t => {
  await using fixture = await openTinyChat()
  const wanted = await aloneOf(fixture)
  await withSessions(fixture, async ({ stage, busy, step }) => {
    const broken = new MeshError('engine_failed', 'no memory')
    // after the chunk: the run of all, then session 0, 1 and so on
    using watch = watchRuns(before => (before === 1 || before === 4 ? broken : undefined))
    const found = await stepTogether(
      busy,
      stage,
      all.map(index => step(index))
    )
    t.equal(watch.count, 2 + SESSIONS)
    t.match(found[2], { status: 'rejected', reason: { code: 'engine_failed', message: 'no memory' } })
    for (const index of [0, 1, 3, 4]) t.same(outputOf(found[index]), wanted[index], `session ${index}`)
    await t.rejects(step(2)(), { code: 'engine_failed' })
  })
})

t.test('values that are no numbers stay in their row', async t => {
  await using fixture = await openTinyChat()
  const wanted = await aloneOf(fixture, { first: 2 })
  await withSessions(
    fixture,
    async ({ stage, busy, sessions, step, input }) => {
      const noNumbers = new Float32Array(stage.hiddenSize).fill(Number.NaN)
      const steps = all.map(index => step(index))
      steps[2] = async () => await (sessions[2]?.run(noNumbers) ?? noNumbers)
      const found = (await stepTogether(busy, stage, steps)).map(outputOf)
      t.ok(Number.isNaN(found[2]?.at(-1)))
      for (const index of [0, 1, 3, 4]) t.same(found[index], wanted[index], `session ${index}`)
      sessions[2]?.[Symbol.dispose]()
      using next = stage.open({ positionsMax: CONTEXT })
      await next.run(input(2, 0, 5))
      t.same(await next.run(input(2, 5, 1)), wanted[2], 'the row is as good as new')
    },
    { first: 2 }
  )
})

t.test('a session that has no step is computed along and does not notice', async t => {
  await using fixture = await openTinyChat()
  const wanted = await aloneOf(fixture)
  await withSessions(fixture, async ({ stage, busy, sessions, step }) => {
    const session = sessions[1]
    const read = await step(1)()
    using watch = watchRuns()
    const found = await stepTogether(busy, stage, [step(0), step(3)])
    t.equal(watch.count, 2, 'rows 1 and 2 lie between them')
    t.same(found.map(outputOf), [wanted[0], wanted[3]])
    t.same(read, wanted[1], 'its last output is still there')
    t.same((await stepTogether(busy, stage, [step(2), step(4)])).map(outputOf), [wanted[2], wanted[4]])
    session?.truncate(4)
    t.same(await step(1)(), wanted[1])
    t.equal(session?.position, 5)
  })
})

t.test('a session that is full is computed along and does not notice', async t => {
  await using fixture = await openTinyChat()
  const wanted = await aloneOf(fixture)
  await withSessions(fixture, async ({ stage, busy, sessions, step }) => {
    const full = sessions[1]
    await full?.run(Uint32Array.from({ length: CONTEXT - 5 }, (_, index) => 8 + index))
    const last = Float32Array.from((await full?.run(Uint32Array.of(8))) ?? [])
    t.equal(full?.position, CONTEXT)
    using watch = watchRuns()
    const found = await stepTogether(busy, stage, [step(0), step(2)])
    t.equal(watch.count, 2)
    t.same(found.map(outputOf), [wanted[0], wanted[2]])
    full?.truncate(CONTEXT - 1)
    t.same(await full?.run(Uint32Array.of(8)), last)
  })
})
