import { MeshError } from '@resultity/interface'
import { Binding, type RunOptions } from '@resultity/onnx-runtime'
import t from 'tap'
import { KvArena } from '../src/capi/kv-arena.ts'
import { type BoundRun, KvSlot } from '../src/capi/kv-slot.ts'
import { createEngine, type Stage, type StageSession } from '../src/index.ts'
import { outputOf, stepTogether, watchRuns } from './company.ts'
import { type Fixture, openTinyChat } from './tiny-chat.ts'

const CONTEXT = 64
/** Positions that the victim has before its row is damaged. */
const GOOD = 5
/** Of the sessions beside it: what lies in its row up to there is met by a run of both. */
const LONG = 30
/** The victim's: between two others, and too far from the first for a run of both. */
const ROW = 5

interface Setting {
  readonly stage: Stage
  /** For chunks that steps wait for. */
  readonly busy: StageSession
  readonly far: StageSession
  /** Before and behind the victim: where they step together, it is computed along. */
  readonly beside: readonly [StageSession, StageSession]
  readonly victim: StageSession
}

function hidden(stage: Stage, seed: number, count = 1): Float32Array {
  return Float32Array.from({ length: count * stage.hiddenSize }, (_, index) => Math.sin(seed + index))
}

function noNumbers(stage: Stage, count = 1): Float32Array {
  return new Float32Array(count * stage.hiddenSize).fill(Number.NaN)
}

/** What the next session of the victim's row gives beside longer ones. */
async function afterHarm(fixture: Fixture, harm: (setting: Setting) => Promise<unknown>): Promise<Float32Array[]> {
  const init = fixture.init({ first: 2, end: 4 }, { sessionsMax: ROW + 2, contextLength: CONTEXT })
  await using stage = await (await createEngine()).loadStage(init)
  using open = new DisposableStack()
  const opened = async (count: number): Promise<StageSession> => {
    const session = open.use(stage.open({ positionsMax: CONTEXT }))
    await session.run(hidden(stage, count, count))
    return session
  }
  const busy = await opened(1)
  busy.truncate(0)
  const far = await opened(LONG)
  for (let row = 2; row < ROW - 1; row++) await opened(1)
  const before = await opened(LONG)
  const victim = await opened(GOOD)
  const behind = await opened(LONG)
  const beside = [before, behind] as const
  await harm({ stage, busy, far, beside, victim })
  victim[Symbol.dispose]()
  for (const session of beside) session.truncate(LONG)
  const next = await opened(2)
  const steps = [next, ...beside].map((session, index) => () => session.run(hidden(stage, 7 + index)))
  return (await stepTogether(busy, stage, steps)).map(outputOf)
}

/** Steps of the sessions beside the victim, in one run with a step that it does not have. */
async function stepBeside({ stage, busy, beside }: Setting): Promise<void> {
  await stepTogether(
    busy,
    stage,
    beside.map(session => () => session.run(hidden(stage, 5)))
  )
}

/** Until this is disposed, run `number` from now on writes what it computes, and then breaks off before its output is there. */
function breakingOff(number = 0, whenBroken = (): void => undefined): Disposable {
  const { bind } = KvSlot.prototype
  const { run } = Binding.prototype
  KvSlot.prototype.bind = function bound(this: KvSlot, count: number): BoundRun {
    const { output, ...others } = bind.call(this, count)
    return { ...others, output: new Float32Array(output.length) }
  }
  let runs = 0
  Binding.prototype.run = function ran(this: Binding, options: RunOptions, done: (error?: MeshError) => void): void {
    const breaks = runs++ === number
    run.call(this, options, error => {
      if (breaks) whenBroken()
      done(breaks ? new MeshError('engine_failed', 'it broke off') : error)
    })
  }
  return {
    [Symbol.dispose]() {
      KvSlot.prototype.bind = bind
      Binding.prototype.run = run
    }
  }
}

interface Case {
  readonly id: string
  harm(setting: Setting): Promise<unknown>
  /** Positions of the victim's row that are wiped for the next session. */
  readonly wiped: readonly [from: number, end: number] | undefined
}

const cases: readonly Case[] = [
  {
    id: 'a session that computed numbers',
    harm: async ({ stage, victim }) => await victim.run(hidden(stage, 1, 3)),
    wiped: undefined
  },
  {
    id: 'a chunk with what is no number',
    harm: async ({ stage, victim }) => await victim.run(noNumbers(stage, 3)),
    wiped: [GOOD, GOOD + 3]
  },
  {
    id: 'a chunk with what is no number, which broke off',
    async harm({ stage, victim }) {
      using _broken = breakingOff()
      await t.rejects(victim.run(noNumbers(stage, 3)), { code: 'engine_failed' })
    },
    wiped: [GOOD, GOOD + 3]
  },
  {
    id: 'a session that went on from before what is no number',
    async harm({ stage, victim }) {
      await victim.run(noNumbers(stage, 3))
      victim.truncate(2)
      await victim.run(hidden(stage, 4))
    },
    wiped: [GOOD, GOOD + 3]
  },
  {
    id: 'a session that went back before what is no number, and was computed along with others',
    async harm(setting) {
      const { stage, victim } = setting
      await victim.run(noNumbers(stage, 3))
      victim.truncate(2)
      await stepBeside(setting)
    },
    wiped: [2, GOOD + 3]
  },
  {
    id: 'what is no number in the row of a session that was over, and was computed along with others',
    async harm(setting) {
      const { stage, victim } = setting
      await victim.run(noNumbers(stage, 3))
      victim[Symbol.dispose]()
      await stepBeside(setting)
    },
    wiped: [0, GOOD + 3]
  },
  {
    id: 'a step with what is no number, beside another',
    async harm({ stage, busy, beside: [, behind], victim }) {
      const steps = [() => victim.run(noNumbers(stage)), () => behind.run(hidden(stage, 5))]
      await stepTogether(busy, stage, steps)
    },
    wiped: [GOOD, GOOD + 1]
  },
  {
    id: 'a step with what is no number, called off as the run of several broke off',
    async harm({ stage, busy, beside: [, behind], victim }) {
      const controller = new AbortController()
      using _broken = breakingOff(1, () => controller.abort())
      const steps = [() => victim.run(noNumbers(stage), controller), () => behind.run(hidden(stage, 5))]
      const found = await stepTogether(busy, stage, steps)
      t.same(
        found.map(({ status }) => status),
        ['rejected', 'fulfilled']
      )
    },
    wiped: [GOOD, GOOD + 1]
  },
  {
    id: 'a step with what is no number, called off before its run',
    async harm({ stage, busy, far, victim }) {
      const controller = new AbortController()
      // the chunk, the step of the other, its own
      using watch = watchRuns(before => {
        if (before === 1) setImmediate(() => controller.abort())
        return undefined
      })
      const steps = [() => far.run(hidden(stage, 5)), () => victim.run(noNumbers(stage), controller)]
      await stepTogether(busy, stage, steps)
      t.equal(watch.count, 2)
    },
    wiped: undefined
  }
]

for (const { id, harm, wiped } of cases) {
  t.test(`the next session of a row notices nothing of ${id}`, async t => {
    await using fixture = await openTinyChat()
    const wanted = await afterHarm(fixture, async () => undefined)
    const { wipe } = KvArena.prototype
    t.teardown(() => {
      KvArena.prototype.wipe = wipe
    })
    const found: number[][] = []
    KvArena.prototype.wipe = function watched(this: KvArena, ...[row, from, end]: Parameters<KvArena['wipe']>): void {
      found.push([row, from, end])
      wipe.call(this, row, from, end)
    }
    t.same(await afterHarm(fixture, harm), wanted)
    t.same(found, wiped === undefined ? [] : [[ROW, ...wiped]])
  })
}
