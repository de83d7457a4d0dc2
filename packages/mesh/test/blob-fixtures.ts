import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BlobStore, type BlobWriter, MeshError } from '@resultity/interface'
import {
  BLOB_FRAME_BYTES_MAX,
  BLOB_PROTOCOL,
  type BlobRequest,
  type BlobResponse,
  blobResponseCodec,
  FrameStream
} from '@resultity/wire'
import type { MeshHost } from '../src/index.ts'

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes that differ at every place a chunk could be swapped. */
export function someBytes(count: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(count)
  let state = seed
  for (let index = 0; index < count; index++) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff
    bytes[index] = state >>> 16
  }
  return bytes
}

/** Partial blobs in memory, complete ones as files; counts what a test wants to know. */
export class TestBlobStore implements BlobStore {
  readonly partials = new Map<string, Uint8Array>()
  readonly complete = new Set<string>()
  /** Bytes given to writers. */
  bytesWritten = 0
  /** Awaited before each write. */
  beforeWrite: () => Promise<void> = async () => {}
  readonly #dir: string
  readonly #open = new Set<string>()

  constructor(dir: string) {
    this.#dir = dir
  }

  async find(sha256: string): Promise<string | undefined> {
    return this.complete.has(sha256) ? this.#path(sha256) : undefined
  }

  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = sha256Of(bytes)
    await writeFile(this.#path(sha256), bytes)
    this.complete.add(sha256)
    return sha256
  }

  async read(sha256: string): Promise<Uint8Array> {
    return readFile(this.#path(sha256))
  }

  async writer(sha256: string): Promise<BlobWriter> {
    if (this.#open.has(sha256)) throw new MeshError('resource_exhausted', `${sha256} is being written`)
    this.#open.add(sha256)
    const kept = this.partials.get(sha256) ?? new Uint8Array(0)
    const pieces: Uint8Array[] = [kept]
    const finish = (): Buffer => {
      this.#open.delete(sha256)
      return Buffer.concat(pieces)
    }
    return {
      offset: kept.length,
      write: async chunk => {
        await this.beforeWrite()
        this.bytesWritten += chunk.length
        pieces.push(Uint8Array.from(chunk))
      },
      commit: async () => {
        const bytes = finish()
        this.partials.delete(sha256)
        if (sha256Of(bytes) !== sha256) throw new MeshError('hash_mismatch', `not ${sha256}`)
        await this.put(bytes)
      },
      release: async () => {
        this.partials.set(sha256, finish())
      }
    }
  }

  #path(sha256: string): string {
    return join(this.#dir, sha256)
  }
}

/** A blob server that does as a test says. */
export async function serveBadly(
  host: MeshHost,
  answer: (frames: FrameStream<BlobResponse, BlobRequest>, request: BlobRequest) => void | Promise<void>
): Promise<BlobRequest[]> {
  const requests: BlobRequest[] = []
  const accept = (stream: ConstructorParameters<typeof FrameStream>[0]): void => {
    const frames: FrameStream<BlobResponse, BlobRequest> = new FrameStream(
      stream,
      blobResponseCodec,
      {
        onFrame(request) {
          requests.push(request)
          return answer(frames, request)
        },
        onEnd() {}
      },
      { frameBytesMax: BLOB_FRAME_BYTES_MAX }
    )
  }
  await host.handle(BLOB_PROTOCOL, accept, { inboundStreamsMax: 8 })
  return requests
}
