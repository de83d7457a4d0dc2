import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { type BlobStore, MeshError, withDeadline } from '@resultity/interface'
import {
  BLOB_CHUNK_BYTES,
  BLOB_FRAME_BYTES_MAX,
  BLOB_PROTOCOL,
  type BlobRequest,
  type BlobResponse,
  type ByteStream,
  blobResponseCodec,
  FrameStream
} from '@resultity/wire'
import { pipe } from 'it-pipe'
import type { MeshHost } from './host.ts'

export interface BlobServeLimits {
  /** Transfers to all peers at once; over it a peer is told `resource_exhausted`. Default 16. */
  readonly transfersMax: number
  /** Transfers to one peer at once. Default 4. */
  readonly transfersPerPeerMax: number
  /** Time for the request after the stream was opened. Default 10 s. */
  readonly requestTimeoutMs: number
  /** Time for the peer to make room for one chunk. Default 15 s. */
  readonly stallTimeoutMs: number
  /** Whether a peer may have a blob; default: every peer that is connected may have every blob. */
  readonly allow: (peerId: string, sha256: string) => boolean
}

export const DEFAULT_BLOB_SERVE_LIMITS: BlobServeLimits = {
  transfersMax: 16,
  transfersPerPeerMax: 4,
  requestTimeoutMs: 10_000,
  stallTimeoutMs: 15_000,
  allow: () => true
}

/** Above the limit that a peer is told about: streams beyond are reset without a word. */
const STREAMS_PER_TRANSFER = 4

/** Serves the blobs in `store` to peers, from any offset, until the host closes. */
export async function serveBlobs(
  host: Pick<MeshHost, 'handle'>,
  store: Pick<BlobStore, 'find'>,
  limits: Partial<BlobServeLimits> = {}
): Promise<void> {
  const server = new BlobServer(store, { ...DEFAULT_BLOB_SERVE_LIMITS, ...limits })
  const inboundStreamsMax = server.limits.transfersPerPeerMax * STREAMS_PER_TRANSFER
  await host.handle(BLOB_PROTOCOL, (stream, peerId) => server.accept(stream, peerId), { inboundStreamsMax })
}

class BlobServer {
  readonly limits: BlobServeLimits
  readonly #store: Pick<BlobStore, 'find'>
  readonly #transfers = new Map<string, number>()
  #transferCount = 0

  constructor(store: Pick<BlobStore, 'find'>, limits: BlobServeLimits) {
    this.#store = store
    this.limits = limits
  }

  accept(stream: ByteStream, peerId: string): void {
    const { promise: requested, resolve, reject } = Promise.withResolvers<BlobRequest>()
    const gone = new AbortController()
    let requests = 0
    const frames = new FrameStream(
      stream,
      blobResponseCodec,
      {
        onFrame(request) {
          if (requests++ > 0) throw new MeshError('protocol_violation', 'a second request on a blob stream')
          resolve(request)
        },
        onEnd(error) {
          // the peer may end its side once it has asked; without a request that is the end
          const ended = error ?? new MeshError('protocol_violation', 'the blob stream ended without a request')
          reject(ended)
          if (error !== undefined) gone.abort(error)
        }
      },
      { frameBytesMax: BLOB_FRAME_BYTES_MAX, allowHalfOpen: true }
    )
    void this.#serve(frames, requested, peerId, gone.signal)
  }

  /** Never rejects: what goes wrong is the peer's to know, and its stream ends. */
  async #serve(
    frames: FrameStream<BlobResponse, BlobRequest>,
    requested: Promise<BlobRequest>,
    peerId: string,
    signal: AbortSignal
  ): Promise<void> {
    const { requestTimeoutMs, stallTimeoutMs } = this.limits
    try {
      const request = await withDeadline('the request on a blob stream', requestTimeoutMs, () => requested, { signal })
      const release = this.#takeSlot(peerId)
      try {
        await this.#transfer(frames, request, peerId, signal)
      } finally {
        release()
      }
      await withDeadline('ending a blob stream', stallTimeoutMs, deadline => frames.close({ signal: deadline }))
    } catch (error) {
      frames.fail(forPeer(error))
    }
  }

  /** @throws MeshError `resource_exhausted` */
  #takeSlot(peerId: string): () => void {
    const { transfersMax, transfersPerPeerMax } = this.limits
    const ofPeer = this.#transfers.get(peerId) ?? 0
    if (this.#transferCount >= transfersMax || ofPeer >= transfersPerPeerMax) {
      const limit = ofPeer >= transfersPerPeerMax ? `${transfersPerPeerMax} to one peer` : `${transfersMax}`
      throw new MeshError('resource_exhausted', `this peer already serves as many blobs as it may: ${limit}`, {
        hint: 'Try again later, or another source.'
      })
    }
    this.#transferCount++
    this.#transfers.set(peerId, ofPeer + 1)
    return () => {
      this.#transferCount--
      const left = (this.#transfers.get(peerId) ?? 1) - 1
      if (left === 0) this.#transfers.delete(peerId)
      else this.#transfers.set(peerId, left)
    }
  }

  async #transfer(
    frames: FrameStream<BlobResponse, BlobRequest>,
    { sha256, offset }: BlobRequest,
    peerId: string,
    signal: AbortSignal
  ): Promise<void> {
    if (!this.limits.allow(peerId, sha256)) {
      throw new MeshError('peer_refused', `${peerId} may not have blob ${sha256} from this peer`)
    }
    const path = await this.#store.find(sha256)
    if (path === undefined) throw notFound(sha256)
    const totalBytes = (await stat(path)).size
    if (offset > totalBytes) {
      throw new MeshError('invalid_request', `blob ${sha256} has ${totalBytes} bytes; ${offset} is behind its end`)
    }
    const send = (response: BlobResponse): Promise<void> =>
      withDeadline('the peer making room for a chunk', this.limits.stallTimeoutMs, deadline =>
        frames.send(response, { signal: deadline })
      )
    await send({ type: 'header', totalBytes })
    if (offset === totalBytes) return
    const file = createReadStream(path, { start: offset, highWaterMark: BLOB_CHUNK_BYTES, signal })
    await pipe(
      file,
      async function* (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<BlobResponse> {
        for await (const chunk of pieces) yield { type: 'chunk', chunk }
      },
      async responses => {
        for await (const response of responses) await send(response)
      }
    )
  }
}

/** Errors of the file system name paths, which are nobody else's business. */
function forPeer(error: unknown): MeshError {
  if (error instanceof MeshError) return error
  return new MeshError('unavailable', 'the blob could not be read', { hint: 'Try another source.', cause: error })
}

function notFound(sha256: string): MeshError {
  return new MeshError('blob_not_found', `this peer does not have blob ${sha256}`)
}
