import { type AbortOptions, formatRange, MeshError, systemScheduler } from '@resultity/interface'
import { rotaryTables, type StageGraph } from '@resultity/model'
import { GraphSession, getRuntime, NativeTensor } from '@resultity/onnx-runtime'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import type { SessionInit, Stage, StageInit, StageSession } from '../port.ts'
import { RunQueue } from '../run-queue.ts'
import { SessionTurns } from '../session-turns.ts'
import { ShapedStage } from '../shaped-stage.ts'
import { StageShape } from '../stage-shape.ts'
import { CapiSession } from './capi-session.ts'
import { IdleMemory } from './idle-memory.ts'
import type { BoundTable, KvSlot, SlotComponents } from './kv-slot.ts'
import { probeRows } from './row-probe.ts'
import { SessionRow } from './session-row.ts'
import { SlotPool } from './slot-pool.ts'
import { type SessionStep, StepRunner } from './step-runner.ts'

/** How a stage computes steps. */
interface StageSteps {
  readonly slots: SlotPool
  /** As {@link probeRows} found it. */
  readonly widthMin: 1 | 2 | undefined
}

/** A stage on ONNX Runtime's C API. */
export class CapiStage extends ShapedStage implements Stage {
  readonly #components: SlotComponents
  readonly #source: GraphSource<StageGraph>
  readonly #slots: SlotPool
  readonly #context: EngineContext
  readonly #queue: RunQueue<SessionStep>
  readonly #steps: StepRunner
  readonly #sharesSteps: boolean
  readonly #idleMemory: IdleMemory
  readonly #sessions = new Set<CapiSession>()
  #closing: Promise<void> | undefined

  private constructor(
    components: SlotComponents,
    source: GraphSource<StageGraph>,
    context: EngineContext,
    { slots, widthMin }: StageSteps
  ) {
    super(components.shape)
    this.#components = components
    this.#source = source
    this.#slots = slots
    this.#sharesSteps = widthMin !== undefined
    this.#context = context
    const { runtime, graph, shape } = components
    const leave = (): void => this.#queue.leave()
    const { width } = graph.output
    using creating = new DisposableStack()
    this.#steps = creating.use(new StepRunner({ runtime, shape, slots, width, widthMin: widthMin ?? 1, leave }))
    this.#queue = new RunQueue(context.gate, systemScheduler, {
      start: steps => this.#steps.run(steps),
      feedsItself: shape.first && shape.last
    })
    const { tuning } = context
    const { files } = source
    this.#idleMemory = new IdleMemory({ runtime, tuning, queue: this.#queue, slots, files })
    creating.move()
  }

  static async load(init: StageInit, context: EngineContext, options: AbortOptions = {}): Promise<CapiStage> {
    options.signal?.throwIfAborted()
    const shape = new StageShape(init)
    const runtime = getRuntime()
    await using loading = new AsyncDisposableStack()
    const positions = shape.cacheLength
    const source = loading.use(await GraphSource.forStage({ ...init, contextLength: positions }))
    const { threads, spinning } = init
    const { tuning } = context
    const { folder } = source
    const session = loading.use(
      await GraphSession.load(runtime, { graph: source.graph.bytes, folder, threads, spinning, tuning })
    )
    options.signal?.throwIfAborted()
    await tuning.releaseFilePages(source.files)
    await tuning.releaseFreedMemory()
    await tuning.packIntoHugePages()
    const { config } = init.manifest
    const rotary = source.graph.rotary.flatMap(({ rope, ...inputs }) => {
      const tables = rotaryTables(config, init.contextLength, rope)
      const bound = (table: 'cos' | 'sin'): BoundTable => {
        const dimensions = [positions, tables[table].length / init.contextLength] as const
        const longer = withRows(tables[table], dimensions)
        return { input: inputs[table], tensor: loading.use(new NativeTensor(runtime, longer, dimensions)) }
      }
      return [bound('cos'), bound('sin')]
    })
    const components = { runtime, graph: source.graph, session, shape, config, rotary }
    const slots = loading.use(new SlotPool(components, () => context.gate.now()))
    const shares = shape.sessionsMax > 1 && (!shape.last || source.graph.outputRows === 'last')
    const widthMin = shares ? await probeRows(components, slots) : undefined
    options.signal?.throwIfAborted()
    const stage = new CapiStage(components, source, context, { slots, widthMin })
    loading.move()
    return stage
  }

  get sessionsOpen(): number {
    return this.#slots.taken
  }

  open(init: SessionInit): StageSession {
    const { shape } = this.#components
    if (this.#closing !== undefined) {
      throw new MeshError('unavailable', `stage ${formatRange(this.range)} is closed`)
    }
    shape.admitSession(init.positionsMax)
    this.#slots.admit()
    this.#idleMemory.sessionOpened()
    const work = this.#components.session.callers.work()
    const release = (session: CapiSession): void => {
      this.#sessions.delete(session)
      if (this.sessionsOpen === 0) this.#idleMemory.sessionsEnded()
    }
    const turns = new SessionTurns(this.#queue, this.#context.gate, init)
    const vacate = (): void => {
      this.#slots.vacate()
      work[Symbol.dispose]()
    }
    const sharesSteps = this.#sharesSteps
    const row = new SessionRow(this.#slots, init.prefix)
    const warm = (slot: KvSlot): void => this.#steps.warm(slot)
    const session = new CapiSession({ shape, turns, sharesSteps, row, warm, vacate, release }, init.positionsMax)
    this.#sessions.add(session)
    return session
  }

  forgetPrefixes(scope: string): void {
    this.#slots.forget(scope)
  }

  /** Closes the sessions, waits until the runtime has left their memory, and frees it and the weights. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const session of this.#sessions) session[Symbol.dispose]()
    await this.#idleMemory[Symbol.asyncDispose]()
    this.#slots[Symbol.dispose]()
    this.#steps[Symbol.dispose]()
    const { session, rotary } = this.#components
    session[Symbol.dispose]()
    for (const { tensor } of rotary) tensor[Symbol.dispose]()
    await this.#context.tuning.releaseFreedMemory()
    await this.#source[Symbol.asyncDispose]()
  }
}

/** A table with as many rows as its tensor has. Beyond the context is only who is full and computed along: any values do. */
function withRows(table: Float32Array, [rows, columns]: readonly [rows: number, columns: number]): Float32Array {
  const longer = new Float32Array(rows * columns)
  longer.set(table)
  return longer
}
