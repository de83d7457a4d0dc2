import type { Engine, Stage } from '@resultity/engine'
import {
  type BlobRef,
  cutsOf,
  type FileContent,
  formatRange,
  kindOf,
  type LayerRange,
  MeshError,
  type ModelManifest,
  type Scheduler,
  type ServedStage,
  systemScheduler
} from '@resultity/interface'
import { ConstraintCompiler } from '@resultity/sampling'
import type { Assignment, StageProgress } from './assignment.ts'
import { type LoadedModel, loadModel, needsOf, type ReadyStage, type ReadyWhole, unloadModel } from './loaded-model.ts'
import { ParkedSessions } from './parked-sessions.ts'

/** Brings the manifest and the weight files of a range into the local store. */
export interface WeightSource {
  /** Keeps these blobs in the local store, also those that are not there yet, until the returned value is disposed. */
  hold(sha256s: readonly string[]): Disposable
  manifest(sha256: string, signal: AbortSignal): Promise<ModelManifest>
  /** @returns path by SHA-256 of every file in `files` */
  files(files: readonly BlobRef[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>
  /** What the files hold that their manifest names by how they are made. Absent: none is. */
  contents?(): readonly FileContent[]
}

export interface StageTableComponents {
  readonly engine: Engine
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
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
  ready: Promise<LoadedModel>
  loaded: LoadedModel | undefined
  /** What its files hold that its manifest names by how they are made. */
  contents: readonly FileContent[]
  /** Jobs at work, of a model that is served whole. */
  jobsOpen: number
  /** Its files in the store, which it has mapped. */
  readonly files: DisposableStack
}

/** A model that is served whole, and one of the jobs that it takes at once. Dispose when the job is over. */
export interface JobSlot extends Disposable {
  readonly ready: ReadyWhole
  readonly placementId: string
}

/**
 * The stages that this node serves, keyed by their content: two placements of the same range of the same model share
 * one stage. A stage is unloaded when its last placement is released.
 */
export class StageTable {
  readonly #engine: Engine
  readonly #scheduler: Scheduler
  readonly #init: StageTableInit
  /** Compiles constraints for the answers of all stages, which share its thread and its memory. */
  readonly #compiler = new ConstraintCompiler()
  /** Sessions between two epochs, in slots of these stages. */
  readonly parked = new ParkedSessions()
  readonly #entries = new Map<string, Entry>()
  /** Loads run one after another: two at once would fight for memory and falsify each other's measurement. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(components: StageTableComponents, init: StageTableInit) {
    this.#engine = components.engine
    this.#scheduler = components.scheduler ?? systemScheduler
    this.#init = init
  }

  get memoryFreeBytes(): number {
    let used = 0
    for (const entry of this.#entries.values()) used += entry.memoryBytes
    return Math.max(0, this.#init.memoryBytes - used)
  }

  /** The ready stages, as the advert lists them. */
  served(): ServedStage[] {
    const served: ServedStage[] = []
    for (const { placements, assignment, loaded, jobsOpen } of this.#entries.values()) {
      if (loaded === undefined) continue
      for (const placementId of placements) {
        served.push({
          placementId,
          manifest: assignment.manifestSha256,
          range: assignment.range,
          decodeMsPerLayer: loaded.measurement.decodeMsPerLayer,
          // those that are parked make room for any other
          sessionsOpen:
            loaded.kind === 'stage' ? loaded.stage.sessionsOpen - this.parked.countOn(loaded.stage) : jobsOpen,
          sessionsMax: assignment.sessionsMax
        })
      }
    }
    return served
  }

  /**
   * Loads the stage of `assignment`, or joins a load that is in progress or done.
   *
   * @throws MeshError `insufficient_memory`, `resource_exhausted` (too many stages), `blob_not_found`, `engine_failed`
   */
  async assign(
    assignment: Assignment,
    source: WeightSource,
    onProgress: (state: StageProgress) => void
  ): Promise<LoadedModel> {
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
      loaded: undefined,
      contents: [],
      jobsOpen: 0,
      files: new DisposableStack()
    }
    this.#entries.set(key, entry)
    try {
      return await entry.ready
    } catch (error) {
      entry.files.dispose()
      // if it was released and assigned again since, the key belongs to another load
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
      throw error
    }
  }

  /** What the weight files of a placement hold, of a model whose files nodes make. */
  contentsOf(placementId: string): readonly FileContent[] {
    return [...this.#entries.values()].find(({ placements }) => placements.has(placementId))?.contents ?? []
  }

  /** The stage that serves `placementId`. @throws MeshError `session_unknown` */
  find(placementId: string): ReadyStage {
    for (const entry of this.#entries.values()) {
      if (entry.placements.has(placementId) && entry.loaded?.kind === 'stage') return entry.loaded
    }
    throw new MeshError('session_unknown', `this node serves no stage of placement ${placementId}`, {
      hint: 'the placement was released or never became ready; ask the coordinator for a new route'
    })
  }

  /** Whether the stage of `placementId` serves another placement, too. */
  isShared(placementId: string): boolean {
    return [...this.#entries.values()].some(({ placements }) => placements.has(placementId) && placements.size > 1)
  }

  /** Whether this stage is still here. */
  serves(stage: Stage): boolean {
    return [...this.#entries.values()].some(({ loaded }) => loaded?.kind === 'stage' && loaded.stage === stage)
  }

  /** Nothing that sessions of this placement have left in a cache is used any more. */
  forgetPrefixes(placementId: string): void {
    for (const { loaded } of this.#entries.values()) {
      if (loaded?.kind === 'stage') loaded.stage.forgetPrefixes?.(placementId)
    }
  }

  /**
   * Takes one of the job slots of the model with this manifest, if it serves a placement that `mayUse` allows.
   *
   * @param fits whether the sections of it that are here are those that the job is for
   * @throws MeshError `unavailable` when there is no such model (yet, or any more), `resource_exhausted` when it has
   *   no free slot
   */
  takeJob(
    manifestSha256: string,
    mayUse: (placementId: string) => boolean,
    fits: (ready: ReadyWhole) => boolean = () => true
  ): JobSlot {
    for (const entry of this.#entries.values()) {
      const { loaded, assignment, placements } = entry
      const placementId = [...placements].find(mayUse)
      if (assignment.manifestSha256 !== manifestSha256 || placementId === undefined) continue
      if (loaded === undefined || loaded.kind === 'stage' || !fits(loaded)) continue
      if (entry.jobsOpen >= assignment.sessionsMax) {
        throw new MeshError(
          'resource_exhausted',
          `${entry.jobsOpen} jobs of ${loaded.manifest.name} are at work here`,
          {
            hint: 'try again when one has ended, or on another node'
          }
        )
      }
      return takeSlot(entry, loaded, placementId)
    }
    throw new MeshError(
      'unavailable',
      `this node serves no whole model with the manifest ${manifestSha256} for this peer`,
      {
        hint: 'the placement was released or is not ready yet; ask again, or another node'
      }
    )
  }

  /** Ends `placementId`; the stage goes when no other placement uses it. Resolves once its memory is free. */
  async release(placementId: string): Promise<void> {
    for (const entry of this.#entries.values()) {
      if (!entry.placements.delete(placementId) || entry.placements.size > 0) continue
      entry.loading.abort(new MeshError('canceled', `placement ${placementId} was released`))
      this.#entries.delete(entry.key)
      if (entry.loaded?.kind === 'stage') this.parked.dropOn(entry.loaded.stage)
      await entry.ready.then(unloadModel, ignoreFailedLoad)
      entry.files.dispose()
    }
  }

  async close(): Promise<void> {
    const placements = [...this.#entries.values()].flatMap(entry => [...entry.placements])
    for (const placementId of placements) await this.release(placementId)
    await this.#compiler[Symbol.asyncDispose]()
  }

  #enqueue(entry: Entry, source: WeightSource, onProgress: (state: StageProgress) => void): Promise<LoadedModel> {
    const load = this.#tail.then(() => this.#load(entry, source, onProgress))
    this.#tail = load.catch(ignoreFailedLoad)
    return load
  }

  async #load(entry: Entry, source: WeightSource, onProgress: (state: StageProgress) => void): Promise<LoadedModel> {
    const { assignment, loading } = entry
    const { signal } = loading
    signal.throwIfAborted()
    onProgress('fetching')
    entry.files.use(source.hold([assignment.manifestSha256]))
    const manifest = await source.manifest(assignment.manifestSha256, signal)
    admitRange(manifest, assignment.range)
    const files = this.#reserve(entry, manifest)
    entry.files.use(source.hold(files.map(({ sha256 }) => sha256)))
    const paths = await source.files(files, signal)
    entry.contents = source.contents?.() ?? []
    const { threads, spinning, workDir } = this.#init
    const { memoryBytes } = entry
    const where = { threads, spinning, workDir, memoryBytes, compiler: this.#compiler, scheduler: this.#scheduler }
    entry.loaded = await loadModel(this.#engine, { ...where, manifest, assignment, paths, onProgress, signal })
    onProgress('ready')
    return entry.loaded
  }

  /** @returns the files to fetch */
  #reserve(entry: Entry, manifest: ModelManifest): BlobRef[] {
    const { files, bytes: needed } = needsOf(manifest, entry.assignment)
    const free = this.memoryFreeBytes
    if (needed > free) {
      throw new MeshError(
        'insufficient_memory',
        `layers ${formatRange(entry.assignment.range)} of ${manifest.name} need ${needed} bytes, this node has ${free} left`,
        {
          hint: 'offer more with --memory, or let the coordinator cut the model into more stages',
          details: { needed, free }
        }
      )
    }
    entry.memoryBytes = needed
    return files
  }
}

function takeSlot(entry: Entry, ready: ReadyWhole, placementId: string): JobSlot {
  entry.jobsOpen++
  let held = true
  return {
    ready,
    placementId,
    [Symbol.dispose]: () => {
      if (held) entry.jobsOpen--
      held = false
    }
  }
}

/** @throws MeshError `invalid_request` for layers that the model does not have, or a part of a model that is not cut */
function admitRange(manifest: ModelManifest, range: LayerRange): void {
  const { name } = manifest
  const layerCount = manifest.layers.length
  if (range.end > layerCount) {
    throw new MeshError('invalid_request', `${name} has ${layerCount} layers, not ${formatRange(range)}`)
  }
  const cuts = cutsOf(manifest)
  if (cuts === undefined) return
  const ends = [0, ...cuts, layerCount]
  if (ends.includes(range.first) && ends.includes(range.end)) return
  const parts = cuts.length === 0 ? 'whole' : `whole or cut before ${cuts.join(' and ')}`
  const message = `${name} ${kindOf(manifest)} and is served ${parts}, not as ${formatRange(range)}`
  throw new MeshError('invalid_request', message)
}

function stageKey({ manifestSha256, range, contextLength, sessionsMax }: Assignment): string {
  return `${manifestSha256} ${formatRange(range)} ${contextLength} ${sessionsMax}`
}

/** The failure was reported to the caller that asked for the load; here it only ends the wait. */
function ignoreFailedLoad(): void {}
