import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { type BlobStore, MeshError, type Scheduler, systemScheduler, withDeadline } from '@resultity/interface'
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
  /** Transfers to all peers at once; above it a peer gets `resource_exhausted`. Default 16. */
  readonly transfersMax: number
  /** Transfers to one peer at once. Default 4. */
  readonly transfersPerPeerMax: number
  /** Time for the request after the stream was opened. Default 10 s. */
  readonly requestTimeoutMs: number
  /** Time for the peer to make room for one chunk. Default 15 s. */
  readonly stallTimeoutMs: number
  /** A peer that takes less in the long run is ended; it may ask for the rest later. Default 64 KiB/s. */
  readonly bytesPerSecondMin: number
  /** How long "in the long run" is: time spent waiting for the peer. Default 20 s. */
  readonly slowAfterMs: number
  /** Whether a peer may have a blob; default: every peer that is connected may have every blob. */
  readonly allow: (peerId: string, sha256: string) => boolean
}

export const DEFAULT_BLOB_SERVE_LIMITS: BlobServeLimits = {
  transfersMax: 16,
  transfersPerPeerMax: 4,
  requestTimeoutMs: 10_000,
  stallTimeoutMs: 15_000,
  bytesPerSecondMin: 64 * 1024,
  slowAfterMs: 20_000,
  allow: () => true
}

/** A request is a hash and an offset. */
const REQUEST_BYTES_MAX = 4096

/** Streams for each allowed transfer. Streams above this limit are reset without an answer. */
const STREAMS_PER_TRANSFER = 4

/** A blob that is being served is held, so that the store does not drop it. */
export type ServedStore = Pick<BlobStore, 'find' | 'hold'>

interface Transfer {
  readonly peerId: string
  readonly end: (error: MeshError) => void
}

/** Serves the blobs in `store` to peers, from any offset, until the host closes. */
export async function serveBlobs(
  host: Pick<MeshHost, 'handle'>,
  store: ServedStore,
  limits: Partial<BlobServeLimits> = {},
  scheduler: Scheduler = systemScheduler
): Promise<void> {
  const server = new BlobServer(store, { ...DEFAULT_BLOB_SERVE_LIMITS, ...limits }, scheduler)
  const inboundStreamsMax = server.limits.transfersPerPeerMax * STREAMS_PER_TRANSFER
  await host.handle(BLOB_PROTOCOL, (stream, peerId) => server.accept(stream, peerId), { inboundStreamsMax })
}

class BlobServer {
  readonly limits: BlobServeLimits
  readonly #store: ServedStore
  readonly #scheduler: Scheduler
  /** In the order they began. */
  readonly #transfers = new Set<Transfer>()

  constructor(store: ServedStore, limits: BlobServeLimits, scheduler: Scheduler) {
    this.#store = store
    this.#scheduler = scheduler
    this.limits = limits
  }

  accept(stream: ByteStream, peerId: string): void {
    const { promise: requested, resolve, reject } = Promise.withResolvers<BlobRequest>()
    const gone = new AbortController()
    let requests = 0
    const scheduler = this.#scheduler
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
      { frameBytesMax: BLOB_FRAME_BYTES_MAX, receivedBytesMax: REQUEST_BYTES_MAX, allowHalfOpen: true, scheduler }
    )
    void this.#serve(frames, requested, peerId, gone)
  }

  /** Never rejects: the peer gets the error, and its stream ends. */
  async #serve(
    frames: FrameStream<BlobResponse, BlobRequest>,
    requested: Promise<BlobRequest>,
    peerId: string,
    gone: AbortController
  ): Promise<void> {
    const { requestTimeoutMs, stallTimeoutMs } = this.limits
    const { signal } = gone
    try {
      const request = await withDeadline('the request on a blob stream', requestTimeoutMs, () => requested, {
        signal,
        scheduler: this.#scheduler
      })
      const release = this.#takeSlot({ peerId, end: error => gone.abort(error) })
      try {
        await this.#transfer(frames, request, peerId, signal)
      } finally {
        release()
      }
      await withDeadline('ending a blob stream', stallTimeoutMs, deadline => frames.close({ signal: deadline }), {
        scheduler: this.#scheduler
      })
    } catch (error) {
      // ended by this side: its reason says more than the read that it broke off
      frames.fail(forPeer(signal.aborted ? signal.reason : error))
    }
  }

  /** @throws MeshError `resource_exhausted` */
  #takeSlot(transfer: Transfer): () => void {
    const { transfersMax, transfersPerPeerMax } = this.limits
    const ofPeer = [...this.#transfers].filter(({ peerId }) => peerId === transfer.peerId).length
    if (ofPeer >= transfersPerPeerMax) throw servesEnough(`${transfersPerPeerMax} to one peer`)
    if (this.#transfers.size >= transfersMax && !this.#endOneOfMany(ofPeer)) throw servesEnough(`${transfersMax}`)
    this.#transfers.add(transfer)
    return () => this.#transfers.delete(transfer)
  }

  /** Ends the last transfer of a peer that has at least two more than the one that asks, so that all get their share. */
  #endOneOfMany(ofAskingPeer: number): boolean {
    const byPeer = Map.groupBy(this.#transfers, ({ peerId }) => peerId)
    const most = [...byPeer.values()].toSorted((a, b) => b.length - a.length)[0] ?? []
    const last = most.at(-1)
    if (last === undefined || most.length < ofAskingPeer + 2) return false
    this.#transfers.delete(last)
    last.end(servesEnough('another peer has none yet'))
    return true
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
    using _held = this.#store.hold?.([sha256])
    const path = await this.#store.find(sha256)
    if (path === undefined) throw notFound(sha256)
    const totalBytes = (await stat(path)).size
    if (offset > totalBytes) {
      throw new MeshError('invalid_request', `blob ${sha256} has ${totalBytes} bytes; ${offset} is behind its end`)
    }
    const pace = new Pace(this.limits)
    const scheduler = this.#scheduler
    const send = async (response: BlobResponse): Promise<void> => {
      const sentAt = scheduler.monotonic()
      await withDeadline(
        'the peer making room for a chunk',
        this.limits.stallTimeoutMs,
        deadline => frames.send(response, { signal: deadline }),
        { signal, scheduler }
      )
      pace.took(response.type === 'chunk' ? response.chunk.length : 0, scheduler.monotonic() - sentAt)
    }
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

/** How fast a peer takes the bytes it asked for. Only the time counts in which it kept this side waiting. */
export class Pace {
  readonly #limits: Pick<BlobServeLimits, 'bytesPerSecondMin' | 'slowAfterMs'>
  #bytes = 0
  #waitedMs = 0

  constructor(limits: Pick<BlobServeLimits, 'bytesPerSecondMin' | 'slowAfterMs'>) {
    this.#limits = limits
  }

  /** @throws MeshError `deadline_exceeded` when the peer has been too slow over the last stretch */
  took(bytes: number, waitedMs: number): void {
    this.#bytes += bytes
    this.#waitedMs += waitedMs
    if (this.#waitedMs < this.#limits.slowAfterMs) return
    const bytesPerSecond = (this.#bytes * 1000) / this.#waitedMs
    if (bytesPerSecond < this.#limits.bytesPerSecondMin) {
      throw new MeshError('deadline_exceeded', `the peer takes ${Math.round(bytesPerSecond)} bytes a second`, {
        hint: `At least ${this.#limits.bytesPerSecondMin} are wanted; what has come is kept, ask for the rest later.`
      })
    }
    this.#bytes = 0
    this.#waitedMs = 0
  }
}

function servesEnough(limit: string): MeshError {
  return new MeshError('resource_exhausted', `this peer already serves as many blobs as it may: ${limit}`, {
    hint: 'Try again later, or another source.'
  })
}

/** Errors of the file system name paths, which are nobody else's business. */
function forPeer(error: unknown): MeshError {
  if (error instanceof MeshError) return error
  return new MeshError('unavailable', 'the blob could not be read', { hint: 'Try another source.', cause: error })
}

function notFound(sha256: string): MeshError {
  return new MeshError('blob_not_found', `this peer does not have blob ${sha256}`)
}
