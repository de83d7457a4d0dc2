import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { FileHasher } from '@resultity/blobs'
import { type AbortOptions, type FileDigest, MeshError, systemScheduler, withDeadline } from '@resultity/interface'
import pRetry from 'p-retry'
import type { ProgressOptions } from './progress.ts'

/** A file somewhere else. */
export interface RemoteFile {
  /** For messages and progress. */
  readonly name: string
  readonly bytes: number
  /** Undefined where the source names none: then only the size is checked. */
  readonly digest: FileDigest | undefined
  /** The bytes from `offset` on. */
  open(offset: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}

export interface DownloadOptions extends ProgressOptions {
  /** Longest wait for the next bytes; default 30 s. */
  readonly idleMs?: number
  /** First pause before another try; it doubles each time. Default 500 ms. */
  readonly retryMs?: number
}

/** Tries after the first; a connection that breaks more often will not carry a model. */
const RETRIES = 4

/** Largest file taken: a GGUF file of a model of 70 billion parameters in 8 bit. */
export const MODEL_FILE_BYTES_MAX = 80 * 1024 ** 3

/** A git blob is checked in memory; bigger files carry a SHA-256. */
const GIT_BLOB_BYTES_MAX = 64 * 1024 * 1024

/**
 * Fetches `remote` to `path`. A download that breaks off leaves its bytes in `path.partial`; this call or a later one
 * continues it. `path` appears only when it is complete and checked. An existing file is not changed.
 *
 * @throws MeshError `hash_mismatch` (the bytes are deleted), `model_unavailable`, `resource_exhausted`, or the
 * reason of the signal
 */
export async function downloadFile(remote: RemoteFile, path: string, options: DownloadOptions = {}): Promise<void> {
  if (await isFile(path)) return
  if (!Number.isSafeInteger(remote.bytes) || remote.bytes < 0 || remote.bytes > MODEL_FILE_BYTES_MAX) {
    throw new MeshError(
      'resource_exhausted',
      `${remote.name} has ${remote.bytes} bytes, the limit is ${MODEL_FILE_BYTES_MAX}`
    )
  }
  const partial = `${path}.partial`
  await mkdir(dirname(path), { recursive: true })
  try {
    await pRetry(() => continueDownload(remote, partial, options), {
      retries: RETRIES,
      minTimeout: options.retryMs ?? 500,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      shouldRetry: ({ error }) => !(error instanceof MeshError) || error.code === 'deadline_exceeded',
      onFailedAttempt: async ({ error }) => await waitAsAsked(error, options)
    })
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof MeshError) throw error
    throw new MeshError('model_unavailable', `${remote.name} broke off: ${reasonOf(error)}`, {
      hint: 'Run the same command again; it continues where it stopped.',
      cause: error
    })
  }
  await checkDigest(remote, partial)
  await rename(partial, path)
}

/** A source that is busy says how long it wants to be left alone. */
async function waitAsAsked(error: Error, { signal }: AbortOptions): Promise<void> {
  const asked = 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : 0
  if (asked > 0) await systemScheduler.sleep(asked, signal === undefined ? {} : { signal })
}

async function continueDownload(remote: RemoteFile, partial: string, options: DownloadOptions): Promise<void> {
  // a new controller a try, so that a broken connection is let go before the next
  const attempt = new AbortController()
  const signal = options.signal === undefined ? attempt.signal : AbortSignal.any([options.signal, attempt.signal])
  const file = await open(partial, 'a')
  try {
    let bytesDone = (await file.stat()).size
    if (bytesDone > remote.bytes) {
      await file.truncate(0)
      bytesDone = 0
    }
    const report = (): void =>
      options.onProgress?.({ phase: 'download', what: remote.name, bytesDone, bytesTotal: remote.bytes })
    report()
    if (bytesDone === remote.bytes) return
    const stream = await remote.open(bytesDone, signal)
    for await (const value of readWithDeadline(stream, remote.name, options.idleMs ?? 30_000, signal)) {
      bytesDone += value.byteLength
      if (bytesDone > remote.bytes) {
        // the source ignores ranges and began anew: so do we
        await file.truncate(0)
        throw new Error(`more than the announced ${remote.bytes} bytes came`)
      }
      await file.write(value)
      report()
    }
    if (bytesDone < remote.bytes) throw new Error(`the connection ended after ${bytesDone} of ${remote.bytes} bytes`)
    await file.sync()
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'not_implemented') throw error
    // the source serves no ranges: its next answer begins anew
    await file.truncate(0)
    throw new Error(error.message, { cause: error })
  } finally {
    attempt.abort(new MeshError('canceled', `${remote.name}: this try is over`))
    await file.close()
  }
}

/** The chunks of `stream`; it fails when none comes for `idleMs`. */
export async function* readWithDeadline(
  stream: AsyncIterable<Uint8Array>,
  name: string,
  idleMs: number,
  signal: AbortSignal
): AsyncGenerator<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]()
  for (;;) {
    const next = await withDeadline(`waiting for bytes of ${name}`, idleMs, () => chunks.next(), { signal })
    if (next.done === true) return
    yield next.value
  }
}

async function checkDigest(remote: RemoteFile, partial: string): Promise<void> {
  if (remote.digest === undefined) return
  const actual = remote.digest.kind === 'sha256' ? await sha256Of(partial) : await gitBlobOf(remote, partial)
  if (actual === remote.digest.hex) return
  await rm(partial, { force: true })
  throw new MeshError('hash_mismatch', `${remote.name} has the hash ${actual}, not ${remote.digest.hex}`, {
    hint: 'The source was changed or the download damaged; try again, or use another source.'
  })
}

/** SHA-256 of a file, computed off the event loop. */
export async function sha256Of(path: string): Promise<string> {
  await using hasher = new FileHasher()
  return await hasher.sha256(path)
}

async function gitBlobOf(remote: RemoteFile, path: string): Promise<string> {
  if (remote.bytes > GIT_BLOB_BYTES_MAX) {
    throw new MeshError('resource_exhausted', `${remote.name} has ${remote.bytes} bytes and no SHA-256`)
  }
  return createHash('sha1')
    .update(`blob ${remote.bytes}\0`)
    .update(await readFile(path))
    .digest('hex')
}

/** Whether a plain file is there. */
export async function isFile(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined)
  return stats?.isFile() ?? false
}

/** What went wrong, from whatever was thrown: some libraries reject with a bare text. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
