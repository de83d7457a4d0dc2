import {
  type AbortOptions,
  type BlobProgress,
  type BlobWriter,
  MeshError,
  type Scheduler,
  systemScheduler,
  type Timer
} from '@resultity/interface'
import {
  BLOB_FRAME_BYTES_MAX,
  BLOB_PROTOCOL,
  type BlobRequest,
  type BlobResponse,
  blobRequestCodec,
  FrameStream
} from '@resultity/wire'
import type { MeshHost, PeerAddress } from './host.ts'

export interface BlobTransferInit {
  readonly sha256: string
  /** Size that the blob must have. */
  readonly bytes: number
  readonly source: PeerAddress
  readonly writer: BlobWriter
  readonly stallTimeoutMs: number
}

export interface BlobTransferOptions extends AbortOptions {
  readonly onProgress?: (progress: BlobProgress) => void
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/**
 * Reads a blob from one source, from the writer's offset to the end. Resolves once all of it is written; the writer
 * checks its hash.
 *
 * @throws MeshError the error of the source; `protocol_violation` when the blob has another size or the source sends
 *   more; `deadline_exceeded` when it stalls; `peer_unreachable` when it breaks off
 */
export async function transferBlob(
  host: Pick<MeshHost, 'open'>,
  init: BlobTransferInit,
  options: BlobTransferOptions = {}
): Promise<void> {
  const stream = await host.open(
    init.source,
    BLOB_PROTOCOL,
    options.signal === undefined ? {} : { signal: options.signal }
  )
  const transfer = new BlobTransfer(init, options)
  const { scheduler = systemScheduler } = options
  const frames = new FrameStream(stream, blobRequestCodec, transfer, { frameBytesMax: BLOB_FRAME_BYTES_MAX, scheduler })
  await transfer.run(frames)
}

/** Header first, then chunks in order. */
class BlobTransfer {
  readonly #init: BlobTransferInit
  readonly #options: BlobTransferOptions
  readonly #done = Promise.withResolvers<void>()
  readonly #scheduler: Scheduler
  readonly #stall: Timer
  #written: number
  #headerSeen = false
  /** Our own disk at work: the source is not to blame for the silence. */
  #write: Promise<void> | undefined

  constructor(init: BlobTransferInit, options: BlobTransferOptions) {
    this.#init = init
    this.#options = options
    this.#written = init.writer.offset
    this.#scheduler = options.scheduler ?? systemScheduler
    this.#stall = this.#scheduler.setTimeout(this.#onStall, init.stallTimeoutMs)
  }

  async run(frames: FrameStream<BlobRequest, BlobResponse>): Promise<void> {
    const { sha256, stallTimeoutMs, writer } = this.#init
    const { signal } = this.#options
    const onAbort = (): void => this.#done.reject(MeshError.from(signal?.reason, 'canceled'))
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    try {
      // one request fits any window, so there is no room to wait for; a failure comes by onEnd
      void frames.send({ sha256, offset: writer.offset })
      await this.#done.promise
    } catch (error) {
      frames.abort(MeshError.from(error))
      // the writer is its owner's again only when it is idle
      await this.#write
      throw error
    } finally {
      this.#scheduler.clear(this.#stall)
      signal?.removeEventListener('abort', onAbort)
    }
    // all bytes are here: how the stream ends changes nothing any more
    await frames.close({ signal: this.#scheduler.timeoutSignal(stallTimeoutMs) }).catch(error => frames.abort(error))
  }

  readonly #onStall = (): void => {
    const { source, stallTimeoutMs } = this.#init
    if (this.#write !== undefined) this.#stall.refresh()
    else this.#done.reject(new MeshError('deadline_exceeded', `${source.peerId} sent nothing for ${stallTimeoutMs} ms`))
  }

  onFrame(response: BlobResponse): void | Promise<void> {
    this.#stall.refresh()
    if (response.type === 'error') throw response.error
    if (response.type === 'header') return this.#onHeader(response.totalBytes)
    return this.#onChunk(response.chunk)
  }

  onEnd(error: MeshError | undefined): void {
    // after the last byte this changes nothing
    const { source, bytes } = this.#init
    this.#done.reject(
      error ?? new MeshError('peer_unreachable', `${source.peerId} ended after ${this.#written} of ${bytes} bytes`)
    )
  }

  #onHeader(totalBytes: number): void {
    const { source, bytes, writer } = this.#init
    if (this.#headerSeen) throw new MeshError('protocol_violation', `${source.peerId} sent a second header`)
    this.#headerSeen = true
    if (totalBytes !== bytes) {
      throw new MeshError('protocol_violation', `${source.peerId} has ${totalBytes} bytes of a blob of ${bytes}`)
    }
    if (writer.offset === bytes) this.#done.resolve()
  }

  async #onChunk(chunk: Uint8Array): Promise<void> {
    const { source, bytes, writer } = this.#init
    if (!this.#headerSeen) throw new MeshError('protocol_violation', `${source.peerId} sent a chunk before the header`)
    if (this.#written + chunk.length > bytes) {
      throw new MeshError('protocol_violation', `${source.peerId} sent more than the ${bytes} bytes of the blob`)
    }
    const writing = writer.write(chunk)
    this.#write = writing.catch(reportedByHandler)
    try {
      await writing
    } finally {
      this.#write = undefined
      this.#stall.refresh()
    }
    this.#written += chunk.length
    this.#options.onProgress?.({ bytesDone: this.#written, bytesTotal: bytes })
    if (this.#written === bytes) this.#done.resolve()
  }
}

/** The caller only waits for the write to end. Its failure ends the stream, as any error of a handler does. */
function reportedByHandler(): void {}
