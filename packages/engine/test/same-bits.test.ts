import { join } from 'node:path'
import { type LlamaShape, type RandomGgufInit, writeRandomGguf } from '@resultity/formats'
import t from 'tap'
import { createEngine, type Stage, type StageSession } from '../src/index.ts'
import { WINDOW_ROWS_MAX } from '../src/row-windows.ts'
import { outputOf, stepTogether, watchRuns } from './company.ts'
import { convertGguf } from './convert-gguf.ts'
import { type Encoding, encodeTinyChat, type Variant } from './quantized-tiny-chat.ts'
import { type Fixture, openTinyChat } from './tiny-chat.ts'

const SESSIONS = WINDOW_ROWS_MAX
const CONTEXT = 160
const STEPS = 3

/** SmolLM2-135M with fewer layers and tokens. */
const SMOLLM2: LlamaShape = {
  layerCount: 2,
  hiddenSize: 576,
  intermediateSize: 1536,
  headCount: 9,
  kvHeadCount: 3,
  vocabularySize: 5000,
  contextLength: 512,
  tiedEmbedding: true
}

/** Block counts that no quantized block of means divides, and a head of its own. */
const ODD: LlamaShape = {
  ...SMOLLM2,
  hiddenSize: 192,
  intermediateSize: 544,
  headCount: 6,
  kvHeadCount: 2,
  vocabularySize: 300,
  tiedEmbedding: false
}

/** Eight heads to a KV head: where a session is long, it attends by groups and steps alone. */
const GROUPED: LlamaShape = { ...ODD, hiddenSize: 256, intermediateSize: 512, headCount: 16, kvHeadCount: 2 }

interface Model {
  readonly name: string
  open(fixture: Fixture): Promise<Variant>
}

const random = (name: string, shape: LlamaShape, encoding: RandomGgufInit['encoding']): Model => ({
  name: `${name} ${encoding}`,
  async open(fixture) {
    const path = join(fixture.workDir, '..', `${name}-${encoding}.gguf`)
    await writeRandomGguf(path, { shape, seed: 7, encoding })
    return await convertGguf(path, join(fixture.workDir, '..', `${name}-${encoding}`))
  }
})

const encoded = (encoding: Encoding, split: boolean): Model => ({
  name: `tiny-chat ${encoding}${split ? ', split' : ''}`,
  open: async fixture => (await encodeTinyChat(fixture, encoding, { split, untied: split })).encoded
})

const models: readonly Model[] = [
  { name: 'tiny-chat', open: async fixture => fixture },
  ...(['f16', 'bf16', 'q8', 'q4'] as const).flatMap(encoding => [encoded(encoding, false), encoded(encoding, true)]),
  random('smollm2', SMOLLM2, 'Q4_0'),
  random('smollm2', SMOLLM2, 'Q4_1'),
  random('smollm2', SMOLLM2, 'Q8_0'),
  random('odd', ODD, 'Q4_1'),
  random('odd', ODD, 'F32'),
  random('grouped', GROUPED, 'Q4_0'),
  random('grouped', GROUPED, 'F32')
]

/** Tokens before the steps of a session: some at the beginning, one beyond where groups begin, no two alike. */
const lengthOf = (session: number): number => 1 + ((session * 37) % 120)

const tokenOf = (session: number, position: number): number => 8 + ((session * 101 + position * 37) % 290)

/** What goes into a stage, and what comes out of it; every session its own. */
type Rows = readonly Float32Array[]

/** Sessions of a stage with their prompts in it, and another for chunks that steps wait for. */
class Company implements Disposable {
  readonly #stage: Stage
  readonly #busy: StageSession
  readonly #sessions: readonly StageSession[]
  readonly #opened: DisposableStack

  private constructor(stage: Stage, opened: DisposableStack, sessions: readonly StageSession[]) {
    this.#stage = stage
    this.#opened = opened
    this.#sessions = sessions
    this.#busy = opened.use(stage.open({ positionsMax: 8 }))
  }

  static async open(stage: Stage): Promise<Company> {
    const opened = new DisposableStack()
    const sessions: StageSession[] = []
    for (let index = 0; index < SESSIONS; index++) {
      const session = opened.use(stage.open({ positionsMax: CONTEXT }))
      await session.run(inputOf(stage, index, 0, lengthOf(index)))
      sessions.push(session)
    }
    return new Company(stage, opened, sessions)
  }

  /** What each session gives alone. */
  async alone(): Promise<Rows[]> {
    const steps: Float32Array[][] = []
    for (let step = 0; step < STEPS; step++) {
      const rows: Float32Array[] = []
      for (const [index, session] of this.#sessions.entries()) {
        const input = inputOf(this.#stage, index, session.position, 1)
        rows.push(Float32Array.from(await session.run(input)))
      }
      steps.push(rows)
    }
    this.#back()
    return steps
  }

  /** The same with `count` of them at a time. */
  async together(count: number): Promise<Rows[]> {
    const steps: Float32Array[][] = []
    for (let step = 0; step < STEPS; step++) {
      const rows: Float32Array[] = []
      for (let first = 0; first < SESSIONS; first += count) {
        const members = this.#sessions.slice(first, first + count).map((session, index) => {
          const input = inputOf(this.#stage, first + index, session.position, 1)
          return () => session.run(input)
        })
        rows.push(...(await stepTogether(this.#busy, this.#stage, members)).map(outputOf))
      }
      steps.push(rows)
    }
    this.#back()
    return steps
  }

  #back(): void {
    for (const [index, session] of this.#sessions.entries()) session.truncate(lengthOf(index))
  }

  [Symbol.dispose](): void {
    this.#opened[Symbol.dispose]()
  }
}

/** Token ids, or hidden states of any kind. */
function inputOf(stage: Stage, session: number, position: number, count: number): Uint32Array | Float32Array {
  if (stage.first) return Uint32Array.from({ length: count }, (_, index) => tokenOf(session, position + index))
  return Float32Array.from({ length: count * stage.hiddenSize }, (_, index) =>
    Math.sin(session * 31 + position * 7 + index)
  )
}

function same(a: readonly Rows[], b: readonly Rows[]): boolean {
  return a.every((rows, step) =>
    rows.every((row, session) => {
      const other = b[step]?.[session] ?? new Float32Array(0)
      return Buffer.compare(Buffer.from(row.buffer), Buffer.from(other.buffer)) === 0
    })
  )
}

for (const { name, open } of models) {
  t.test(`a row has the bits that it has alone: ${name}`, async t => {
    await using fixture = await openTinyChat()
    const model = await open(fixture)
    const { layerCount } = model.manifest.config
    const ranges = [
      { first: 0, end: layerCount },
      { first: 0, end: 1 },
      { first: 1, end: layerCount }
    ]
    for (const range of ranges) {
      for (const threads of [1, 2]) {
        const changes = { ...model, sessionsMax: SESSIONS + 1, contextLength: CONTEXT, threads }
        await using stage = await (await createEngine()).loadStage(fixture.init(range, changes))
        using company = await Company.open(stage)
        const wanted = await company.alone()
        const different: number[] = []
        const runs: number[] = []
        for (const count of [2, 3, 4, 5, 7, 8, SESSIONS]) {
          using watch = watchRuns()
          if (!same(await company.together(count), wanted)) different.push(count)
          runs.push(watch.count)
        }
        t.same(different, [], `layers ${range.first} to ${range.end}, ${threads} threads, ${runs} runs`)
        const [first] = runs
        const last = runs.at(-1)
        t.ok((last ?? 0) < (first ?? 0), 'the more, the fewer runs')
      }
    }
  })
}
