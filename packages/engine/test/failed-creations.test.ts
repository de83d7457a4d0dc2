import { MeshError } from '@resultity/interface'
import { getRuntime } from '@resultity/onnx-runtime'
import t from 'tap'
import { KvArena } from '../src/capi/kv-arena.ts'
import { createEngine, type Engine } from '../src/index.ts'
import { stepTogether } from './company.ts'
import { type Fixture, openTinyChat } from './tiny-chat.ts'

/** What the library makes, and what frees it. */
const PAIRS = {
  createTensorWithDataAsOrtValue: 'releaseValue',
  createIoBinding: 'releaseIoBinding',
  createRunOptions: 'releaseRunOptions'
}
/** What fills it, and may fail as well. */
const FILLS = ['bindInput', 'bindOutput', 'addRunConfigEntry']

type Functions = Record<string, (...values: unknown[]) => unknown>

/** Counts what the library has made and not freed until disposed, and lets one call fail. */
class WatchedLibrary implements Disposable {
  /** Calls that may fail. */
  calls = 0
  readonly #alive = new Map<string, number>()
  readonly #before: Functions
  readonly #api: Functions

  /** @param failing the call that fails */
  constructor(failing: number) {
    this.#api = getRuntime().api as unknown as Functions
    this.#before = { ...this.#api }
    const mayFail = (name: string, done = (): void => undefined): void => {
      const call = this.#before[name]
      this.#api[name] = (...values) => {
        if (this.calls++ === failing) throw new MeshError('engine_failed', 'no memory')
        const result = call?.(...values)
        done()
        return result
      }
    }
    for (const name of FILLS) mayFail(name)
    for (const [create, release] of Object.entries(PAIRS)) {
      mayFail(create, () => this.#count(create, 1))
      this.#api[release] = (...values) => {
        this.#count(create, -1)
        return this.#before[release]?.(...values)
      }
    }
  }

  /** By what made it: how many there are. */
  get alive(): Record<string, number> {
    return Object.fromEntries([...this.#alive].filter(([, count]) => count !== 0))
  }

  #count(create: string, change: number): void {
    this.#alive.set(create, (this.#alive.get(create) ?? 0) + change)
  }

  [Symbol.dispose](): void {
    Object.assign(this.#api, this.#before)
  }
}

/** A stage from its loading to its end, with steps of one session and of two. */
async function useStage(engine: Engine, fixture: Fixture): Promise<void> {
  await using stage = await engine.loadStage(fixture.init({ first: 3, end: 4 }, { sessionsMax: 3, contextLength: 16 }))
  using open = new DisposableStack()
  const [busy, one, two] = [1, 2, 3].map(() => open.use(stage.open({ positionsMax: 16 })))
  if (busy === undefined || one === undefined || two === undefined) throw new Error('there are three')
  const input = (count: number): Float32Array => new Float32Array(count * stage.hiddenSize).fill(0.5)
  for (const session of [busy, one, two]) await session.run(input(2))
  const steps = [one, two].map(session => () => session.run(input(1)))
  const results = await stepTogether(busy, stage, steps)
  for (const result of results) if (result.status === 'rejected') throw result.reason
  await one.run(input(1))
}

function codeOf(error: unknown): unknown {
  return error instanceof MeshError ? error.code : error
}

t.test('whatever the library fails to make, nothing of a stage is left', async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine('capi', { tuning: true })
  const { view } = KvArena.prototype
  t.teardown(() => {
    KvArena.prototype.view = view
  })
  const caches = new Set<ArrayBuffer>()
  KvArena.prototype.view = function viewed(this: KvArena, first: number, count: number) {
    const views = view.call(this, first, count)
    for (const { tensor } of views) caches.add(tensor.data.buffer)
    return views
  }
  const left: unknown[] = []
  const codes = new Set<unknown>()
  let failing = 0
  for (let failed = true; failed; failing++) {
    using library = new WatchedLibrary(failing)
    codes.add(await useStage(engine, fixture).then(() => 'done', codeOf))
    failed = library.calls > failing
    const cacheBytes = [...caches].reduce((sum, { byteLength }) => sum + byteLength, 0)
    caches.clear()
    if (Object.keys(library.alive).length > 0 || cacheBytes > 0) left.push({ failing, cacheBytes, ...library.alive })
  }
  t.same(left, [])
  t.same(codes, new Set(['engine_failed', 'done']))
  t.ok(failing > 50, `${failing} calls were tried`)
})
