import {
  type BlobRef,
  type BlobStore,
  type FileContent,
  MeshError,
  type ModelManifest,
  parseModelManifest,
  recipeOf,
  type Scheduler,
  systemScheduler
} from '@resultity/interface'
import { fetchBlob, type MeshHost, type PeerAddress } from '@resultity/mesh'
import { reachablePeer } from './peer-addresses.ts'
import { type HubPart, type MakingStore, RecipeFiles, type RecipeFilesComponents } from './recipe-files.ts'
import type { WeightSource } from './stage-table.ts'

/** A manifest of a thousand layers is some hundred kilobytes. */
const MANIFEST_BYTES_MAX = 16 * 1024 * 1024

export interface PeerWeightsComponents {
  readonly host: MeshHost
  readonly store: BlobStore
  /** How weight files are made here. Default: they are not, and models that need it are refused. */
  readonly maker?: { readonly hub: HubPart; readonly store: MakingStore } | undefined
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface PeerWeightsInit {
  /** Peers that may have the weights, as the coordinator names them. */
  readonly sources: readonly PeerAddress[]
  /** Peer id of the coordinator that asks. */
  readonly coordinator: string
  readonly manifestBytes: number
  /** What the coordinator knows of files that nodes make. */
  readonly contents?: readonly FileContent[] | undefined
  readonly onProgress: (bytesDone: number, bytesTotal: number) => void
}

/** Members hear of a node that has joined with their next heartbeat, a second later; until then they give it no blobs. */
const INTRODUCTION_PAUSE_MS = 500
const INTRODUCTION_TRIES = 8

/** Peers that are asked for one blob. */
const SOURCES_MAX = 8

/** Weights out of the local store where they are there already, else from `sources` by hash. */
export function peerWeights(components: PeerWeightsComponents, init: PeerWeightsInit): WeightSource {
  const { host, store, maker, scheduler = systemScheduler } = components
  let made: RecipeFiles | undefined
  const fetch = async (
    sha256: string,
    bytes: number,
    signal: AbortSignal,
    onBytes: (bytes: number) => void
  ): Promise<string> => {
    const named = init.sources.slice(0, SOURCES_MAX)
    const sources = await Promise.all(named.map(source => reachablePeer(host, source, init.coordinator)))
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => onBytes(bytesDone)
    return fetchBlob(host, { sha256, bytes, sources }, store, { signal, onProgress, scheduler })
  }

  const fromPeers: RecipeFilesComponents['fromPeers'] = ({ sha256, bytes }, signal, onBytes) =>
    onceIntroduced(scheduler, signal, () => fetch(sha256, bytes, signal, onBytes))

  return {
    hold: sha256s => {
      const held = store.hold?.(sha256s)
      return {
        [Symbol.dispose]: () => {
          held?.[Symbol.dispose]()
          made?.release()
        }
      }
    },

    contents: () => made?.contents ?? [],

    async manifest(sha256, signal): Promise<ModelManifest> {
      if (init.manifestBytes > MANIFEST_BYTES_MAX) {
        throw new MeshError(
          'model_invalid',
          `a manifest of ${init.manifestBytes} bytes, at most ${MANIFEST_BYTES_MAX} are read`
        )
      }
      if ((await store.find(sha256)) === undefined) await fetch(sha256, init.manifestBytes, signal, () => {})
      const manifest = parseModelManifest(sha256, await store.read(sha256, { signal }))
      const recipe = recipeOf(manifest)
      if (recipe === undefined) return manifest
      if (maker === undefined) {
        throw new MeshError('not_implemented', `${manifest.name} is made by its nodes, and this one makes nothing`)
      }
      made = new RecipeFiles({ ...maker, fromPeers }, { manifest, recipe, known: init.contents ?? [] })
      return manifest
    },

    async files(all, signal): Promise<ReadonlyMap<string, string>> {
      const toMake = all.filter(({ sha256 }) => made?.has(sha256) === true)
      const files = all.filter(file => !toMake.includes(file))
      const paths = new Map<string, string>()
      // refused before a byte is fetched, rather than when the disk is full
      await store.makeRoom?.(await missingBytes(store, files))
      const bytesTotal = files.reduce((sum, file) => sum + file.bytes, 0)
      let bytesBefore = 0
      for (const file of uniqueFiles(files)) {
        const path =
          (await store.find(file.sha256)) ??
          (await fetch(file.sha256, file.bytes, signal, bytes => init.onProgress(bytesBefore + bytes, bytesTotal)))
        paths.set(file.sha256, path)
        bytesBefore += file.bytes
        init.onProgress(bytesBefore, bytesTotal)
      }
      for (const [name, path] of (await made?.bring(toMake, signal, init.onProgress)) ?? []) paths.set(name, path)
      return paths
    }
  }
}

/** Tries `work` again where a peer refuses this node, because it may not have heard of it yet. */
async function onceIntroduced<T>(scheduler: Scheduler, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      if (tries === INTRODUCTION_TRIES || !wasRefused(error)) throw error
      await scheduler.sleep(INTRODUCTION_PAUSE_MS, { signal })
    }
  }
}

function wasRefused(error: unknown): boolean {
  const sources = error instanceof MeshError ? error.details.sources : undefined
  return Array.isArray(sources) && sources.some(source => source?.code === 'peer_refused')
}

async function missingBytes(store: BlobStore, files: readonly BlobRef[]): Promise<number> {
  let bytes = 0
  for (const file of uniqueFiles(files)) if ((await store.find(file.sha256)) === undefined) bytes += file.bytes
  return bytes
}

function uniqueFiles(files: readonly BlobRef[]): BlobRef[] {
  return [...new Map(files.map(file => [file.sha256, file])).values()]
}
