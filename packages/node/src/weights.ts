import { type BlobRef, type BlobStore, MeshError, type ModelManifest, parseModelManifest } from '@resultity/interface'
import { fetchBlob, type MeshHost, type PeerAddress } from '@resultity/mesh'
import { reachablePeer } from './peer-addresses.ts'
import type { WeightSource } from './stage-table.ts'

/** A manifest of a thousand layers is some hundred kilobytes. */
const MANIFEST_BYTES_MAX = 16 * 1024 * 1024

export interface PeerWeightsComponents {
  readonly host: MeshHost
  readonly store: BlobStore
}

export interface PeerWeightsInit {
  /** Peers that may have the weights, as the coordinator names them. */
  readonly sources: readonly PeerAddress[]
  /** Peer id of the coordinator that asks. */
  readonly coordinator: string
  readonly manifestBytes: number
  readonly onProgress: (bytesDone: number, bytesTotal: number) => void
}

/** Peers that are asked for one blob. */
const SOURCES_MAX = 8

/** Weights out of the local store where they are there already, else from `sources` by hash. */
export function peerWeights({ host, store }: PeerWeightsComponents, init: PeerWeightsInit): WeightSource {
  const fetch = async (
    sha256: string,
    bytes: number,
    signal: AbortSignal,
    onBytes: (bytes: number) => void
  ): Promise<string> => {
    const named = init.sources.slice(0, SOURCES_MAX)
    const sources = await Promise.all(named.map(source => reachablePeer(host, source, init.coordinator)))
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => onBytes(bytesDone)
    return fetchBlob(host, { sha256, bytes, sources }, store, { signal, onProgress })
  }

  return {
    hold: sha256s => store.hold?.(sha256s) ?? { [Symbol.dispose]: () => {} },

    async manifest(sha256, signal): Promise<ModelManifest> {
      if (init.manifestBytes > MANIFEST_BYTES_MAX) {
        throw new MeshError(
          'model_invalid',
          `a manifest of ${init.manifestBytes} bytes, at most ${MANIFEST_BYTES_MAX} are read`
        )
      }
      if ((await store.find(sha256)) === undefined) await fetch(sha256, init.manifestBytes, signal, () => {})
      return parseModelManifest(sha256, await store.read(sha256, { signal }))
    },

    async files(files, signal): Promise<ReadonlyMap<string, string>> {
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
      return paths
    }
  }
}

async function missingBytes(store: BlobStore, files: readonly BlobRef[]): Promise<number> {
  let bytes = 0
  for (const file of uniqueFiles(files)) if ((await store.find(file.sha256)) === undefined) bytes += file.bytes
  return bytes
}

function uniqueFiles(files: readonly BlobRef[]): BlobRef[] {
  return [...new Map(files.map(file => [file.sha256, file])).values()]
}
