import { type AbortOptions, formatRange, MeshError, type ModelConfig } from '@resultity/interface'
import { rotaryTables, type StageGraph } from '@resultity/model'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { BatchGate } from '../batch-gate.ts'
import type { EngineContext } from '../engine-context.ts'
import { GraphSource } from '../graph-source.ts'
import type { SessionInit, Stage, StageInit, StageSession } from '../port.ts'
import { RunQueue } from '../run-queue.ts'
import { SessionTurns } from '../session-turns.ts'
import { ShapedStage } from '../shaped-stage.ts'
import { StageShape } from '../stage-shape.ts'
import { createNodeSession } from './node-runtime.ts'
import { NodeSession } from './node-session.ts'

/** A stage on onnxruntime-node's own API. Simple and slow: it is there to check the other one against. */
export class NodeStage extends ShapedStage implements Stage {
  readonly #shape: StageShape
  readonly #source: GraphSource<StageGraph>
  readonly #session: InferenceSession
  readonly #rotary: Readonly<Record<string, Tensor>>
  readonly #kvShape: { readonly heads: number; readonly dim: number }
  readonly #sessions = new Set<StageSession>()
  readonly #gate: BatchGate
  readonly #queue: RunQueue
  #closing: Promise<void> | undefined

  private constructor(
    init: StageInit,
    shape: StageShape,
    source: GraphSource<StageGraph>,
    session: InferenceSession,
    gate: BatchGate
  ) {
    super(shape)
    const { config } = init.manifest
    this.#shape = shape
    this.#source = source
    this.#session = session
    this.#gate = gate
    this.#queue = new RunQueue(gate)
    this.#rotary = rotaryFeeds(source.graph, config, init.contextLength)
    this.#kvShape = { heads: config.kvHeadCount, dim: config.headDim }
  }

  static async load(init: StageInit, { gate, tuning }: EngineContext, options: AbortOptions = {}): Promise<NodeStage> {
    options.signal?.throwIfAborted()
    const shape = new StageShape(init)
    const source = await GraphSource.forStage(init)
    try {
      const session = await createNodeSession(source, init, tuning)
      return new NodeStage(init, shape, source, session, gate)
    } catch (error) {
      await source[Symbol.asyncDispose]()
      throw MeshError.from(error, 'engine_failed')
    }
  }

  get sessionsOpen(): number {
    return this.#sessions.size
  }

  open(init: SessionInit): StageSession {
    if (this.#closing !== undefined) {
      throw new MeshError('unavailable', `stage ${formatRange(this.range)} is closed`)
    }
    this.#shape.admitSession(init.positionsMax)
    if (this.#sessions.size >= this.sessionsMax) {
      throw new MeshError('resource_exhausted', `all ${this.sessionsMax} sessions of this stage are open`)
    }
    const turns = new SessionTurns(this.#queue, this.#gate, init)
    const session = new NodeSession(
      {
        shape: this.#shape,
        graph: this.#source.graph,
        kv: this.#kvShape,
        run: (feeds, position) => this.#run(turns, feeds, position),
        release: closed => {
          this.#sessions.delete(closed)
          turns[Symbol.dispose]()
        }
      },
      init.positionsMax
    )
    this.#sessions.add(session)
    return session
  }

  async #run(
    turns: SessionTurns,
    feeds: Record<string, Tensor>,
    position: number
  ): Promise<InferenceSession.ReturnType> {
    await new Promise<void>(resolve => turns.enter(resolve, position))
    try {
      return await this.#session.run({ ...this.#rotary, ...feeds })
    } finally {
      turns.leave()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const session of this.#sessions) session[Symbol.dispose]()
    await this.#queue.idle()
    await this.#session.release()
    await this.#source[Symbol.asyncDispose]()
  }
}

function rotaryFeeds(graph: StageGraph, config: ModelConfig, positions: number): Readonly<Record<string, Tensor>> {
  const feeds = graph.rotary.flatMap(({ rope, cos, sin }) => {
    const tables = rotaryTables(config, positions, rope)
    const shape = [positions, tables.cos.length / positions]
    return [
      [cos, new Tensor('float32', tables.cos, shape)],
      [sin, new Tensor('float32', tables.sin, shape)]
    ]
  })
  return Object.fromEntries(feeds)
}
