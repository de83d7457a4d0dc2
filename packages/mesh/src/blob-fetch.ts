import { type BlobStore, type BlobWriter, MeshError } from '@resultity/interface'
import { type BlobTransferOptions, transferBlob } from './blob-transfer.ts'
import type { MeshHost, PeerAddress } from './host.ts'

/** A blob to fetch, and who may have it. */
export interface BlobWanted {
  readonly sha256: string
  /** Its size, from the manifest. A source that reports another size is not used. */
  readonly bytes: number
  /** Tried in this order. */
  readonly sources: readonly PeerAddress[]
}

export interface FetchBlobOptions extends BlobTransferOptions {
  /** Longest wait for the next chunk; default 15 s. There is no limit on the whole. */
  readonly stallTimeoutMs?: number
}

interface SourceFailure {
  readonly peerId: string
  readonly error: MeshError
}

const STALL_TIMEOUT_MS = 15_000

/**
 * Gets a blob into `store` and returns its path. Bytes that an earlier attempt or a failed source left are kept and
 * continued. A file with another hash is deleted, and the next source is tried.
 *
 * @throws MeshError `blob_not_found` when no source has it; `unavailable` when all failed, with each one's reason;
 *   `resource_exhausted` when somebody else writes this blob; the caller's abort reason
 */
export async function fetchBlob(
  host: Pick<MeshHost, 'open'>,
  wanted: BlobWanted,
  store: BlobStore,
  options: FetchBlobOptions = {}
): Promise<string> {
  const present = await store.find(wanted.sha256)
  if (present !== undefined) return present
  const failures: SourceFailure[] = []
  for (const source of wanted.sources) {
    options.signal?.throwIfAborted()
    try {
      await fetchFrom(host, wanted, source, store, options)
      const path = await store.find(wanted.sha256)
      if (path !== undefined) return path
      throw new MeshError('internal', `blob ${wanted.sha256} was committed and is not in the store`)
    } catch (error) {
      options.signal?.throwIfAborted()
      const failure = MeshError.from(error)
      if (isOurs(failure)) throw failure
      failures.push({ peerId: source.peerId, error: failure })
    }
  }
  throw allFailed(wanted, failures)
}

/**
 * Continues a partial file. When that turns out not to be part of the blob, this source gets one chance to send all of
 * it.
 */
async function fetchFrom(
  host: Pick<MeshHost, 'open'>,
  wanted: BlobWanted,
  source: PeerAddress,
  store: BlobStore,
  options: FetchBlobOptions
): Promise<void> {
  const resumed = await attempt(host, wanted, source, store, options)
  if (resumed === 'committed') return
  if ((await attempt(host, wanted, source, store, options)) === 'committed') return
  throw new MeshError('hash_mismatch', `${source.peerId} sent bytes that are not blob ${wanted.sha256}`)
}

/** @returns 'stale' when the bytes that were already there do not belong to the blob; they are deleted then */
async function attempt(
  host: Pick<MeshHost, 'open'>,
  wanted: BlobWanted,
  source: PeerAddress,
  store: BlobStore,
  options: FetchBlobOptions
): Promise<'committed' | 'stale'> {
  const writer = await openWriter(store, wanted)
  const startedAt = writer.offset
  try {
    const stallTimeoutMs = options.stallTimeoutMs ?? STALL_TIMEOUT_MS
    await transferBlob(host, { ...wanted, source, writer, stallTimeoutMs }, options)
  } catch (error) {
    await writer.release()
    throw error
  }
  try {
    await writer.commit()
    return 'committed'
  } catch (error) {
    if (startedAt > 0 && error instanceof MeshError && error.code === 'hash_mismatch') return 'stale'
    throw error
  }
}

/** Marks an error of the store itself: another source would not help. */
const STORE_FAILED = 'store'

async function openWriter(store: BlobStore, wanted: BlobWanted): Promise<BlobWriter> {
  try {
    return await store.writer(wanted.sha256, wanted.bytes)
  } catch (cause) {
    const error = MeshError.from(cause)
    throw new MeshError(error.code, error.message, {
      hint: error.hint,
      details: { ...error.details, where: STORE_FAILED },
      cause
    })
  }
}

function isOurs(error: MeshError): boolean {
  return error.details.where === STORE_FAILED
}

function allFailed({ sha256, sources }: BlobWanted, failures: readonly SourceFailure[]): MeshError {
  const nowhere = failures.every(({ error }) => error.code === 'blob_not_found')
  const each = failures.map(({ peerId, error }) => `${peerId}: [${error.code}] ${error.message}`)
  const message =
    sources.length === 0 ? `no source for blob ${sha256} is known` : `no source gave blob ${sha256}: ${each.join('; ')}`
  return new MeshError(nowhere ? 'blob_not_found' : 'unavailable', message, {
    hint: nowhere
      ? 'Import the model on a node or on the coordinator, so that somebody has its weights.'
      : 'What has come is kept, so trying again continues there.',
    details: { sources: failures.map(({ peerId, error }) => ({ peerId, code: error.code, message: error.message })) },
    cause: failures.at(-1)?.error
  })
}
