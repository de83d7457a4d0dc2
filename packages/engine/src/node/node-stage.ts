import { type AbortOptions, formatRange, type LayerRange, MeshError } from '@resultity/interface'
import { type RotaryTables, rotaryTables } from '@resultity/model'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { sessionEntries } from '../capi/graph-session.ts'
import type { SessionInit, Stage, StageInit, StageSession } from '../port.ts'
import { StageDirectory } from '../stage-directory.ts'
import { StageShape } from '../stage-shape.ts'
import { NodeSession } from './node-session.ts'

/** A stage on onnxruntime-node's own API. Simple and slow: it is there to check the other one against. */
export class NodeStage implements Stage {
  readonly range: LayerRange
  readonly first: boolean
  readonly last: boolean
  readonly hiddenSize: number
  readonly vocabularySize: number
  readonly contextLength: number
  readonly sessionsMax: number
  readonly layersShare: number
  readonly #shape: StageShape
  readonly #directory: StageDirectory
  readonly #session: InferenceSession
  readonly #rotary: Readonly<Record<string, Tensor>>
  readonly #kvShape: { readonly heads: number; readonly dim: number }
  readonly #sessions = new Set<StageSession>()
  /** Runs of all sessions, one after the other. */
  #tail: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  private constructor(init: StageInit, shape: StageShape, directory: StageDirectory, session: InferenceSession) {
    const { config } = init.manifest
    this.range = shape.range
    this.first = shape.first
    this.last = shape.last
    this.hiddenSize = shape.hiddenSize
    this.vocabularySize = shape.vocabularySize
    this.contextLength = shape.contextLength
    this.sessionsMax = shape.sessionsMax
    this.layersShare = shape.layersShare
    this.#shape = shape
    this.#directory = directory
    this.#session = session
    this.#rotary = rotaryFeeds(directory, rotaryTables(config, init.contextLength), init.contextLength)
    this.#kvShape = { heads: config.kvHeadCount, dim: config.headDim }
  }

  static async load(init: StageInit, options: AbortOptions = {}): Promise<NodeStage> {
    options.signal?.throwIfAborted()
    const shape = new StageShape(init)
    const directory = await StageDirectory.create(init)
    try {
      const session = await InferenceSession.create(directory.graphPath, {
        intraOpNumThreads: init.threads,
        interOpNumThreads: 1,
        logSeverityLevel: 4,
        extra: nested(sessionEntries(init.spinning))
      })
      return new NodeStage(init, shape, directory, session)
    } catch (error) {
      await directory[Symbol.asyncDispose]()
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
    const session = new NodeSession(
      {
        shape: this.#shape,
        graph: this.#directory.graph,
        kv: this.#kvShape,
        run: feeds => this.#run(feeds),
        release: closed => this.#sessions.delete(closed)
      },
      init.positionsMax
    )
    this.#sessions.add(session)
    return session
  }

  #run(feeds: Record<string, Tensor>): Promise<InferenceSession.ReturnType> {
    const result = this.#tail.then(() => this.#session.run({ ...this.#rotary, ...feeds }))
    this.#tail = result.catch(() => undefined) // whoever asked for the run sees its error
    return result
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const session of this.#sessions) session[Symbol.dispose]()
    await this.#tail
    await this.#session.release()
    await this.#directory[Symbol.asyncDispose]()
  }
}

function rotaryFeeds(
  { graph }: StageDirectory,
  tables: RotaryTables,
  positions: number
): Readonly<Record<string, Tensor>> {
  const shape = [positions, tables.cos.length / positions]
  return {
    [graph.rotary.cos]: new Tensor('float32', tables.cos, shape),
    [graph.rotary.sin]: new Tensor('float32', tables.sin, shape)
  }
}

/** `{ 'a.b': v }` as `{ a: { b: v } }`, the form in which onnxruntime-node takes configuration entries. */
function nested(entries: Readonly<Record<string, string>>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(entries)) {
    const parts = key.split('.')
    let level = root
    for (const part of parts.slice(0, -1)) {
      const next: Record<string, unknown> = isRecord(level[part]) ? level[part] : {}
      level[part] = next
      level = next
    }
    level[parts.at(-1) ?? key] = value
  }
  return root
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
