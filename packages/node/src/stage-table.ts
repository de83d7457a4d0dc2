import { type Engine, measureStage, type Stage, type StageMeasurement } from '@resultity/engine'
import {
  type BlobRef,
  formatRange,
  type LayerRange,
  MeshError,
  type ModelManifest,
  type ServedStage,
  stageFiles
} from '@resultity/interface'
import { loadVocabulary, stageMemory } from '@resultity/model'
import { AnswerConstraints } from './answer-constraints.ts'

/** What a coordinator asks this node to serve. */
export interface Assignment {
  readonly placementId: string
  readonly manifestSha256: string
  readonly range: LayerRange
  /** Positions of one session's KV slot. */
  readonly contextLength: number
  /** KV slots. */
  readonly sessionsMax: number
}

/** - `fetching` weights are on their way · `building` the runtime loads them · `testing` it is measured · `ready` serves */
export type StageProgress = 'fetching' | 'building' | 'testing' | 'ready'

/** A stage that serves, with what it measured of itself. */
export interface ReadyStage {
  readonly stage: Stage
  readonly manifest: ModelManifest
  readonly measurement: StageMeasurement
  readonly memoryBytes: number
  /** Of answers that the last stage samples. */
  readonly constraints: AnswerConstraints
}

/** Brings the manifest and the weight files of a range into the local store. */
export interface WeightSource {
  manifest(sha256: string, signal: AbortSignal): Promise<ModelManifest>
  /** @returns path by SHA-256 of every file in `files` */
  files(files: readonly BlobRef[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>
}

export interface StageTableComponents {
  readonly engine: Engine
}

export interface StageTableInit {
  /** Bytes for weights and KV caches of all stages. */
  readonly memoryBytes: number
  readonly threads: number
  readonly spinning: boolean
  /** Scratch folder of the runtime. */
  readonly workDir: string
  readonly stagesMax: number
}

interface Entry {
  readonly key: string
  readonly assignment: Assignment
  readonly placements: Set<string>
  readonly loading: AbortController
  memoryBytes: number
  ready: Promise<ReadyStage>
  loaded: ReadyStage | undefined
}

/**
 * The stages that this node serves, keyed by what they hold: two placements that ask for the same range of the same
 * model share one stage. A stage is unloaded when its last placement is released.
 */
export class StageTable {
  readonly #engine: Engine
  readonly #init: StageTableInit
  readonly #entries = new Map<string, Entry>()
  /** Loads run one after another: two at once would fight for memory and falsify each other's measurement. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(components: StageTableComponents, init: StageTableInit) {
    this.#engine = components.engine
    this.#init = init
  }

  get memoryFreeBytes(): number {
    let used = 0
    for (const entry of this.#entries.values()) used += entry.memoryBytes
    return Math.max(0, this.#init.memoryBytes - used)
  }

  /** What the advert says of the stages that are ready. */
  served(): ServedStage[] {
    const served: ServedStage[] = []
    for (const { placements, assignment, loaded } of this.#entries.values()) {
      if (loaded === undefined) continue
      for (const placementId of placements) {
        served.push({
          placementId,
          manifest: assignment.manifestSha256,
          range: assignment.range,
          decodeMsPerLayer: loaded.measurement.decodeMsPerLayer,
          sessionsOpen: loaded.stage.sessionsOpen,
          sessionsMax: assignment.sessionsMax
        })
      }
    }
    return served
  }

  /**
   * Loads what `assignment` asks for, or joins a load under way or done.
   *
   * @throws MeshError `insufficient_memory`, `resource_exhausted` (too many stages), `blob_not_found`, `engine_failed`
   */
  async assign(
    assignment: Assignment,
    source: WeightSource,
    onProgress: (state: StageProgress) => void
  ): Promise<ReadyStage> {
    const key = stageKey(assignment)
    const present = this.#entries.get(key)
    if (present !== undefined) {
      present.placements.add(assignment.placementId)
      return present.ready
    }
    if (this.#entries.size >= this.#init.stagesMax) {
      throw new MeshError('resource_exhausted', `this node serves ${this.#init.stagesMax} stages already`, {
        hint: 'release a placement, or raise the limit of stages on this node'
      })
    }
    const entry: Entry = {
      key,
      assignment,
      placements: new Set([assignment.placementId]),
      loading: new AbortController(),
      memoryBytes: 0,
      ready: Promise.resolve().then(() => this.#enqueue(entry, source, onProgress)),
      loaded: undefined
    }
    this.#entries.set(key, entry)
    try {
      return await entry.ready
    } catch (error) {
      // released and assigned again meanwhile, the key belongs to another load
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
      throw error
    }
  }

  /** The stage that serves `placementId`. @throws MeshError `session_unknown` */
  find(placementId: string): ReadyStage {
    for (const entry of this.#entries.values()) {
      if (entry.placements.has(placementId) && entry.loaded !== undefined) return entry.loaded
    }
    throw new MeshError('session_unknown', `this node serves no stage of placement ${placementId}`, {
      hint: 'the placement was released or never became ready; ask the coordinator for a new route'
    })
  }

  /** Ends `placementId`; the stage goes when no other placement uses it. Resolves once its memory is free. */
  async release(placementId: string): Promise<void> {
    for (const entry of this.#entries.values()) {
      if (!entry.placements.delete(placementId) || entry.placements.size > 0) continue
      entry.loading.abort(new MeshError('canceled', `placement ${placementId} was released`))
      this.#entries.delete(entry.key)
      await entry.ready.then(({ stage }) => stage[Symbol.asyncDispose](), ignoreFailedLoad)
    }
  }

  async close(): Promise<void> {
    const placements = [...this.#entries.values()].flatMap(entry => [...entry.placements])
    for (const placementId of placements) await this.release(placementId)
  }

  #enqueue(entry: Entry, source: WeightSource, onProgress: (state: StageProgress) => void): Promise<ReadyStage> {
    const load = this.#tail.then(() => this.#load(entry, source, onProgress))
    this.#tail = load.catch(ignoreFailedLoad)
    return load
  }

  async #load(entry: Entry, source: WeightSource, onProgress: (state: StageProgress) => void): Promise<ReadyStage> {
    const { assignment, loading } = entry
    const { signal } = loading
    signal.throwIfAborted()
    onProgress('fetching')
    const manifest = await source.manifest(assignment.manifestSha256, signal)
    const { range, contextLength, sessionsMax } = assignment
    if (range.end > manifest.config.layerCount) {
      throw new MeshError(
        'invalid_request',
        `${manifest.name} has ${manifest.config.layerCount} layers, not ${formatRange(range)}`
      )
    }
    this.#reserve(entry, manifest)
    const { definition } = manifest.tokenizer
    const files = stageFiles(manifest, range)
    // only the last stage meets tokens as texts
    const samples = range.end === manifest.config.layerCount
    const paths = await source.files(samples ? [...files, definition] : files, signal)
    onProgress('building')
    const stage = await this.#engine.loadStage(
      {
        manifest,
        range,
        contextLength,
        sessionsMax,
        threads: this.#init.threads,
        spinning: this.#init.spinning,
        workDir: this.#init.workDir,
        weightPath: file => requirePath(paths, file.sha256)
      },
      { signal }
    )
    try {
      onProgress('testing')
      const measurement = await measureStage(stage, { signal })
      const constraints = new AnswerConstraints(() => loadVocabulary(manifest, requirePath(paths, definition.sha256)))
      entry.loaded = { stage, manifest, measurement, memoryBytes: entry.memoryBytes, constraints }
      onProgress('ready')
      return entry.loaded
    } catch (error) {
      await stage[Symbol.asyncDispose]()
      throw error
    }
  }

  #reserve(entry: Entry, manifest: ModelManifest): void {
    const { range, contextLength, sessionsMax } = entry.assignment
    const { weightBytes, kvBytes } = stageMemory({ manifest, range, contextLength, sessionsMax })
    const needed = weightBytes + kvBytes
    const free = this.memoryFreeBytes
    if (needed > free) {
      throw new MeshError(
        'insufficient_memory',
        `layers ${formatRange(range)} of ${manifest.name} need ${needed} bytes, this node has ${free} left`,
        {
          hint: 'offer more with --memory, or let the coordinator cut the model into more stages',
          details: { needed, free }
        }
      )
    }
    entry.memoryBytes = needed
  }
}

function stageKey({ manifestSha256, range, contextLength, sessionsMax }: Assignment): string {
  return `${manifestSha256} ${formatRange(range)} ${contextLength} ${sessionsMax}`
}

function requirePath(paths: ReadonlyMap<string, string>, sha256: string): string {
  const path = paths.get(sha256)
  if (path === undefined) throw new MeshError('blob_not_found', `weight file ${sha256} was not fetched`)
  return path
}

/** The failure was reported to whoever asked for the load; here it only ends the wait. */
function ignoreFailedLoad(): void {}
