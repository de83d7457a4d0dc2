import { join } from 'node:path'
import { writeRandomGguf } from '@resultity/formats'
import t from 'tap'
import { type BoundRun, KvSlot } from '../src/capi/kv-slot.ts'
import { type BoundSteps, StepBindings } from '../src/capi/step-bindings.ts'
import { createEngine, type Stage, type StageSession } from '../src/index.ts'
import { type RowWindow, WINDOW_ROWS_MAX } from '../src/row-windows.ts'
import { outputOf, stepTogether, watchRuns } from './company.ts'
import { convertGguf } from './convert-gguf.ts'
import { type Fixture, openTinyChat } from './tiny-chat.ts'

const PROMPT = Uint32Array.of(1, 4, 17, 335)
const STEP = Uint32Array.of(20)

/** A stage that is loaded where runs of some widths seem to give other bits. */
async function loadWhere(fixture: Fixture, isWrong: (rows: number) => boolean, sessionsMax = 4): Promise<Stage> {
  const single = KvSlot.prototype.bind
  const several = StepBindings.prototype.bind
  const wrong = <Run extends { readonly output: Float32Array }>(run: Run, rows: number): Run =>
    isWrong(rows) ? { ...run, output: new Float32Array(run.output.length) } : run
  KvSlot.prototype.bind = function bind(this: KvSlot, count: number): BoundRun {
    return wrong(single.call(this, count), 1)
  }
  StepBindings.prototype.bind = function bind(this: StepBindings, window: RowWindow): BoundSteps {
    return wrong(several.call(this, window), window.end - window.first)
  }
  try {
    return await (await createEngine()).loadStage(fixture.init({ first: 0, end: 4 }, { sessionsMax }))
  } finally {
    KvSlot.prototype.bind = single
    StepBindings.prototype.bind = several
  }
}

/** Three sessions after their prompt, another for chunks, and what a step gives. */
async function opened(stage: Stage, open: DisposableStack): Promise<{ busy: StageSession; sessions: StageSession[] }> {
  const sessions: StageSession[] = []
  for (let index = 0; index < 3; index++) {
    const session = open.use(stage.open({ positionsMax: 32 }))
    await session.run(PROMPT)
    sessions.push(session)
  }
  return { busy: open.use(stage.open({ positionsMax: 32 })), sessions }
}

const cases = [
  { id: 'where one row gives the bits of several, it runs alone', wrong: () => false, alone: 1, together: 1 },
  { id: 'where it gives others, no step runs alone', wrong: (rows: number) => rows === 1, alone: 0, together: 1 },
  {
    id: 'where several do not agree, every step runs alone',
    wrong: (rows: number) => rows === 3,
    alone: 1,
    together: 3
  }
]

for (const { id, wrong, alone, together } of cases) {
  t.test(id, async t => {
    await using fixture = await openTinyChat()
    await using stage = await loadWhere(fixture, wrong)
    t.equal(stage.sessionsOpen, 0)
    using open = new DisposableStack()
    const { busy, sessions } = await opened(stage, open)
    const { bind } = KvSlot.prototype
    let bound = 0
    t.teardown(() => {
      KvSlot.prototype.bind = bind
    })
    KvSlot.prototype.bind = function counted(this: KvSlot, count: number): BoundRun {
      if (count === 1) bound++
      return bind.call(this, count)
    }
    const wanted = Float32Array.from((await sessions[0]?.run(STEP)) ?? [])
    t.equal(bound, alone, 'a step of one session')
    sessions[0]?.truncate(PROMPT.length)
    using watch = watchRuns()
    const found = await stepTogether(
      busy,
      stage,
      sessions.map(session => () => session.run(STEP))
    )
    t.equal(watch.count, 1 + together, 'steps of three')
    t.same(found.map(outputOf), [wanted, wanted, wanted])
  })
}

t.test(
  'with experts, where one row gives others, every step runs alone: one may be all that an expert has',
  async t => {
    await using fixture = await openTinyChat()
    const path = join(fixture.workDir, '..', 'routed.gguf')
    const shape = {
      layerCount: 4,
      hiddenSize: 64,
      intermediateSize: 96,
      headCount: 4,
      kvHeadCount: 2,
      vocabularySize: 400,
      contextLength: 64,
      tiedEmbedding: true,
      experts: { count: 4, used: 2 }
    }
    await writeRandomGguf(path, { shape, seed: 3, encoding: 'Q4_0' })
    const model = await convertGguf(path, join(fixture.workDir, '..', 'routed'))
    for (const [wrong, runs] of [
      [(): boolean => false, 1],
      [(rows: number): boolean => rows === 1, 3]
    ] as const) {
      await using stage = await loadWhere(
        { ...fixture, init: (range, changes) => fixture.init(range, { ...model, ...changes }) },
        wrong
      )
      using open = new DisposableStack()
      const { busy, sessions } = await opened(stage, open)
      using watch = watchRuns()
      await stepTogether(
        busy,
        stage,
        sessions.map(session => () => session.run(STEP))
      )
      t.equal(watch.count, 1 + runs)
    }
  }
)

t.test('every number of rows that a run may have is tried', async t => {
  await using fixture = await openTinyChat()
  for (const [sessionsMax, most] of [
    [2, 2],
    [7, 7],
    [WINDOW_ROWS_MAX + 1, WINDOW_ROWS_MAX]
  ] as const) {
    const tried = new Set<number>()
    const note = (rows: number): boolean => {
      tried.add(rows)
      return false
    }
    await using _stage = await loadWhere(fixture, note, sessionsMax)
    t.same(
      [...tried].sort((a, b) => a - b),
      Array.from({ length: most }, (_, index) => index + 1),
      `${sessionsMax} sessions`
    )
  }
})
