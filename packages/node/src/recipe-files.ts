import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileBlobStore } from '@resultity/blobs'
import {
  type BlobProgress,
  type BlobRef,
  type FileContent,
  MeshError,
  type ModelManifest,
  type ModelRecipe,
  type WeightFile,
  weightFiles
} from '@resultity/interface'
import { type ContentRecords, describeFile, fileNames, type HubClient, RemoteModel } from '@resultity/model'
import { removeUnfinished } from './unfinished-models.ts'

/** The store as making files needs it. */
export type MakingStore = Pick<FileBlobStore, 'find' | 'hold' | 'ingest' | 'makeRoom'>

/** Where this node makes weight files, as its own operator has set it. */
export interface HubPart {
  /** Undefined: this node asks no hub. */
  readonly client: HubClient | undefined
  /** Keeps what was fetched and is not converted yet. */
  readonly directory: string
  readonly records: ContentRecords
}

export interface RecipeFilesInit {
  readonly manifest: ModelManifest
  readonly recipe: ModelRecipe
  /** What the coordinator knows. */
  readonly known: readonly FileContent[]
}

export interface RecipeFilesComponents {
  readonly store: MakingStore
  readonly hub: HubPart
  /** Fetches a blob by the hash of its bytes; reports how many have come. */
  fromPeers(blob: BlobRef, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<string>
}

type Progress = (bytesDone: number, bytesTotal: number) => void

/** A file that this node makes itself, and what it has to hold where that is settled. */
interface Wanted {
  readonly file: WeightFile
  readonly index: number
  readonly known: FileContent | undefined
}

/** Models of which ranges are kept that are not converted yet. A coordinator chooses how many it begins, and these are in no cache. */
const UNFINISHED_MAX = 4

/** Errors of the hub's that a peer may help out of. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'model_unavailable',
  'model_gated',
  'model_not_found',
  'not_implemented'
])

/**
 * Brings weight files here whose manifest says only how they are made. What is settled is fetched from peers by its hash. What
 * one node alone has made is made once more, so that nobody takes the bytes of a liar, where this node may ask a hub.
 */
export class RecipeFiles {
  readonly #components: RecipeFilesComponents
  readonly #recipe: ModelRecipe
  readonly #files: readonly WeightFile[]
  readonly #known: ReadonlyMap<string, FileContent>
  readonly #contents = new Map<string, FileContent>()
  readonly #held = new DisposableStack()

  /** @throws MeshError `model_invalid` when the manifest names its files otherwise than its recipe does */
  constructor(components: RecipeFilesComponents, { manifest, recipe, known }: RecipeFilesInit) {
    this.#components = components
    this.#recipe = recipe
    this.#files = weightFiles(manifest)
    this.#known = new Map(known.map(content => [content.file, content]))
    const names = fileNames(recipe, this.#files.length)
    if (this.#files.every(({ sha256 }, index) => sha256 === names[index])) return
    throw new MeshError('model_invalid', `the weight files of ${manifest.name} are not named by their recipe`, {
      hint: 'Node and coordinator may be of different versions; upgrade the older one.'
    })
  }

  /** What the files that were brought hold. */
  get contents(): FileContent[] {
    return [...this.#contents.values()]
  }

  has(name: string): boolean {
    return this.#files.some(({ sha256 }) => sha256 === name)
  }

  /** Lets the store drop them. */
  release(): void {
    this.#held.dispose()
  }

  /**
   * @returns path by name of every file
   * @throws MeshError `blob_not_found` when neither hub nor peers have one; `hash_mismatch` when one comes out otherwise than
   * is settled; what making it throws
   */
  async bring(files: readonly BlobRef[], signal: AbortSignal, onProgress: Progress): Promise<Map<string, string>> {
    const paths = new Map<string, string>()
    const wanted: Wanted[] = []
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
    let done = 0
    for (const { sha256: name } of files) {
      const index = this.#files.findIndex(({ sha256 }) => sha256 === name)
      const file = this.#files[index]
      if (file === undefined || paths.has(name)) continue
      const want = { file, index, known: this.#known.get(name) }
      const path =
        (await this.#present(want)) ?? (await this.#settled(want, signal, bytes => onProgress(done + bytes, total)))
      if (path === undefined) {
        wanted.push(want)
        continue
      }
      paths.set(name, path)
      done += file.bytes
      onProgress(done, total)
    }
    const left = total - done
    for (const [name, path] of await this.#make(wanted, signal, (bytes, of) => {
      onProgress(done + (of === 0 ? 0 : (bytes / of) * left), total)
    })) {
      paths.set(name, path)
    }
    return paths
  }

  /** A file that is here already. */
  async #present({ file, known }: Wanted): Promise<string | undefined> {
    const { records, client } = this.#components.hub
    const own = records.find(file.sha256)
    const settled = known?.verified === true ? known.sha256 : undefined
    if (own !== undefined && own.sha256 === (settled ?? own.sha256)) {
      const path = await this.#hold(own)
      if (path !== undefined) return path
    }
    // one node's word is not taken where this one can see for itself
    if (known === undefined || (settled === undefined && client !== undefined)) return undefined
    return await this.#hold({ ...known, verified: false })
  }

  /** From peers, where its hash is settled; undefined when none has it and this node may make it. */
  async #settled(want: Wanted, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<string | undefined> {
    const { client } = this.#components.hub
    if (want.known === undefined || (!want.known.verified && client !== undefined)) return undefined
    try {
      return await this.#fetch(want.file, want.known, signal, onBytes)
    } catch (error) {
      signal.throwIfAborted()
      if (client === undefined) throw error
      return undefined
    }
  }

  async #fetch(
    file: WeightFile,
    known: FileContent,
    signal: AbortSignal,
    onBytes: (bytes: number) => void
  ): Promise<string> {
    await this.#components.store.makeRoom(file.bytes)
    await this.#components.fromPeers({ sha256: known.sha256, bytes: file.bytes }, signal, onBytes)
    return await this.#keep({ ...known, verified: false })
  }

  async #make(wanted: readonly Wanted[], signal: AbortSignal, onProgress: Progress): Promise<Map<string, string>> {
    const { client } = this.#components.hub
    const paths = new Map<string, string>()
    if (wanted.length === 0) return paths
    if (client === undefined) throw this.#nobodyHas(wanted)
    const left = new Map(wanted.map(want => [want.index, want]))
    try {
      for await (const { want, path } of this.#made(client, left, signal, onProgress)) {
        paths.set(want.file.sha256, path)
        left.delete(want.index)
      }
    } catch (error) {
      signal.throwIfAborted()
      const failure = MeshError.from(error)
      const others = [...left.values()]
      if (!ELSEWHERE.has(failure.code) || others.some(({ known }) => known === undefined)) throw failure
      const total = others.reduce((sum, { file }) => sum + file.bytes, 0)
      let done = 0
      for (const { file, known } of others) {
        if (known === undefined) continue
        paths.set(file.sha256, await this.#fetch(file, known, signal, bytes => onProgress(done + bytes, total)))
        done += file.bytes
      }
    }
    return paths
  }

  /** Makes these files from the hub. */
  async *#made(
    client: HubClient,
    wanted: ReadonlyMap<number, Wanted>,
    signal: AbortSignal,
    onProgress: Progress
  ): AsyncGenerator<{ want: Wanted; path: string }> {
    const { store, hub } = this.#components
    const directory = join(hub.directory, (this.#files[0]?.sha256 ?? '').slice(0, 16))
    const indices = [...wanted.keys()]
    await removeUnfinished(hub.directory, { countMax: UNFINISHED_MAX - 1, inUse: directory })
    {
      await using model = await RemoteModel.open(this.#recipe, { client, directory }, { signal })
      model.requireLayouts(this.#files)
      const [largest = 0, next = 0] = indices.map(index => model.sourceBytes(index)).toSorted((a, b) => b - a)
      const written = [...wanted.values()].reduce((sum, { file }) => sum + file.bytes, 0)
      // the ranges of two are there beside what is written
      await store.makeRoom(written + largest + next)
      const progress = ({ bytesDone, bytesTotal }: BlobProgress): void => onProgress(bytesDone, bytesTotal)
      for await (const { index, sha256 } of model.make(indices, store, { signal, onProgress: progress })) {
        const want = wanted.get(index)
        if (want === undefined) throw new MeshError('internal', `file ${index} was made and not asked for`)
        this.#requireSettled(want, sha256)
        yield { want, path: await this.#keep({ file: want.file.sha256, sha256, verified: true }) }
      }
    }
    await rm(directory, { recursive: true, force: true })
  }

  #requireSettled({ index, known }: Wanted, sha256: string): void {
    if (known === undefined || !known.verified || known.sha256 === sha256) return
    const what = describeFile(index, this.#files.length)
    throw new MeshError(
      'hash_mismatch',
      `${what} of ${this.#recipe.repository} came out as ${sha256} here, and ${known.sha256} is settled`,
      { hint: 'The memory or disk of this node may be damaged, or its hub serves other bytes.' }
    )
  }

  #nobodyHas(wanted: readonly Wanted[]): MeshError {
    const [first] = wanted
    const what = describeFile(first?.index ?? 0, this.#files.length)
    const more = wanted.length === 1 ? '' : ` and ${wanted.length - 1} more`
    return new MeshError('blob_not_found', `nobody has made ${what}${more} of ${this.#recipe.repository} yet`, {
      hint: 'This node asks no hub (--hub off). Nodes that do make the layers first; then this one can take them.'
    })
  }

  /** @throws MeshError `internal` when it is not in the store */
  async #keep(content: FileContent): Promise<string> {
    const path = await this.#hold(content)
    if (path === undefined) throw new MeshError('internal', `blob ${content.sha256} was stored and is not here`)
    await this.#components.hub.records.note([content])
    return path
  }

  async #hold(content: FileContent): Promise<string | undefined> {
    const { store } = this.#components
    const held = store.hold([content.sha256])
    const path = await store.find(content.sha256)
    if (path === undefined) {
      held[Symbol.dispose]()
      return undefined
    }
    this.#held.use(held)
    this.#contents.set(content.file, content)
    return path
  }
}
