import { randomUUID } from 'node:crypto'
import {
  type AbortOptions,
  type Clock,
  MeshError,
  type Scheduler,
  systemScheduler,
  type Timer
} from '@resultity/interface'
import {
  type BatchStore,
  type ByteReservation,
  type FileFilter,
  type FileStore,
  type JobStore,
  type NamespaceBytes,
  REQUEST_FILE,
  type StoredFile
} from '@resultity/store'
import type { Logger } from 'pino'
import type { ContentStore, StoredContent } from './content-store.ts'
import type { DiskSpace } from './disk-space.ts'
import { reservedAhead } from './reserved-stream.ts'

export interface FileServiceComponents {
  readonly files: FileStore
  readonly content: ContentStore
  readonly batches: BatchStore
  readonly bytes: NamespaceBytes
  /** Where lines of batches are. */
  readonly store: Pick<JobStore, 'remove'>
  /** Free space of the disk that files are on. */
  readonly disk: Pick<DiskSpace, 'requireSpace'>
  readonly clock: Clock
  readonly logger: Logger
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface FileServiceInit {
  /** Longest file taken. */
  readonly fileBytesMax: number
  /** How long a file is kept whose client did not say. */
  readonly fileRetentionMs: number
  /** How often files past their time are looked for. */
  readonly fileSweepMs: number
}

/** A file before its bytes have come. */
export interface NewFile {
  readonly namespace: string
  readonly filename: string
  readonly purpose: string
  readonly expiresAfterMs?: number
}

/** Bytes that came and are no file yet: they count in their namespace. */
export interface ReceivedFile {
  readonly content: StoredContent
  readonly reservation: ByteReservation
}

/** Bytes that are no file by then never will be: an upload takes minutes. */
const STRAY_AGE_MS = 24 * 60 * 60_000

/** Files removed in one go. */
const SWEPT_AT_ONCE = 100

/** Keeps clients' files: bytes in the content store, metadata in the database. */
export class FileService implements Disposable {
  readonly #components: FileServiceComponents
  readonly #init: FileServiceInit
  readonly #scheduler: Scheduler
  #timer: Timer | undefined

  constructor(components: FileServiceComponents, init: FileServiceInit) {
    this.#components = components
    this.#init = init
    this.#scheduler = components.scheduler ?? systemScheduler
  }

  /** Removes files past their time, from now on. */
  start(): void {
    this.#timer = this.#scheduler.setInterval(() => {
      this.sweep().catch((err: unknown) => this.#components.logger.error({ err }, 'old files were not removed'))
    }, this.#init.fileSweepMs)
  }

  [Symbol.dispose](): void {
    this.#scheduler.clear(this.#timer)
  }

  /**
   * Stores bytes as they come, each reserved before it is written; {@link keep} makes a file of them, or {@link drop}
   * forgets them.
   *
   * @param announced how many are said to come; others that come at once then see that they are taken
   * @throws MeshError `invalid_request` with `details.bytesMax` when they are too many; `storage_quota_exceeded`;
   * `storage_low`
   */
  async receive(
    bytes: AsyncIterable<Uint8Array>,
    namespace: string,
    announced: number,
    options: AbortOptions = {}
  ): Promise<ReceivedFile> {
    const { content, bytes: counts, disk } = this.#components
    await disk.requireSpace()
    const ahead = Math.max(1, Math.min(announced, this.#init.fileBytesMax))
    const reservation = await counts.reserve(namespace, ahead)
    const reserve = async (more: number): Promise<void> => {
      await disk.requireSpace()
      await reservation.grow(more)
    }
    try {
      const stored = await content.write(reservedAhead(bytes, ahead, reserve), this.#init.fileBytesMax, options)
      return { content: stored, reservation }
    } catch (error) {
      await reservation.release()
      throw error
    }
  }

  /** Makes a file of received bytes. */
  async keep({ content, reservation }: ReceivedFile, file: NewFile): Promise<StoredFile> {
    const stored = await this.#put(content, file, newFileId())
    // it counts as a file now
    await reservation.release()
    return stored
  }

  /**
   * Makes received bytes a part of a request: a file that is not listed, for {@link removeOf} to remove when the request
   * has ended. It goes by itself `expiresAfterMs` later, whatever happens.
   *
   * @param index of the request's files, which are kept in order. Default 0
   */
  async keepFor(
    requestId: string,
    { content, reservation }: ReceivedFile,
    file: Omit<NewFile, 'purpose'> & { readonly expiresAfterMs: number },
    index = 0
  ): Promise<StoredFile> {
    const stored = await this.#put(content, { ...file, purpose: REQUEST_FILE }, fileIdOf(requestId, index))
    await reservation.release()
    return stored
  }

  /** Removes the files that came with a request, if any did. */
  async removeOf(requestId: string): Promise<void> {
    const { files, content } = this.#components
    for (let index = 0; ; index++) {
      const file = await files.find(fileIdOf(requestId, index))
      if (file?.purpose !== REQUEST_FILE) return
      await files.remove(file.id)
      await content.remove(file.contentId)
    }
  }

  /** @throws MeshError `storage_quota_exceeded` when the namespace is full; `storage_low` */
  async requireRoom(namespace: string): Promise<void> {
    await this.#components.disk.requireSpace()
    await this.#components.bytes.requireRoom(namespace, 1)
  }

  async #put(content: StoredContent, file: NewFile, id: string): Promise<StoredFile> {
    const createdAtMs = this.#components.clock.now()
    const { expiresAfterMs = this.#init.fileRetentionMs, ...rest } = file
    const { id: contentId, bytes } = content
    const stored = { ...rest, id, contentId, bytes, createdAtMs, expiresAtMs: createdAtMs + expiresAfterMs }
    await this.#components.files.put(stored)
    return stored
  }

  /** Deletes received bytes that did not become a file. */
  async drop({ content, reservation }: ReceivedFile): Promise<void> {
    await this.#components.content.remove(content.id)
    await reservation.release()
  }

  /** Writes a file of our own making, whose id is known: doing so again replaces it. */
  async write(id: string, bytes: AsyncIterable<Uint8Array>, file: NewFile, options: AbortOptions): Promise<StoredFile> {
    const { content, files } = this.#components
    const written = await content.write(bytes, Number.MAX_SAFE_INTEGER, options)
    const before = await files.find(id)
    const stored = await this.#put(written, file, id)
    if (before !== undefined) await content.remove(before.contentId)
    return stored
  }

  /** Removes a file of our own making, if it is there. */
  async discard(id: string): Promise<void> {
    const { files, content } = this.#components
    const file = await files.find(id)
    if (file === undefined) return
    await files.remove(id)
    await content.remove(file.contentId)
  }

  /** @throws MeshError `not_found`, also for a file of another namespace */
  async find(id: string, namespace: string): Promise<StoredFile> {
    const file = await this.findInUse(id, namespace)
    if (!this.#isOver(file) && file.purpose !== REQUEST_FILE) return file
    throw noSuchFile(id)
  }

  /** As {@link find}, for jobs: even past its time, and if it came with a request. A batch may read its input to the end. */
  async findInUse(id: string, namespace: string): Promise<StoredFile> {
    const file = await this.#components.files.find(id)
    if (file?.namespace === namespace) return file
    throw noSuchFile(id)
  }

  /**
   * A file of somebody's request, for whoever was given a link to it: not past its time.
   * @throws MeshError `not_found`
   */
  async findLinked(id: string): Promise<StoredFile> {
    const file = await this.#components.files.find(id)
    if (file?.purpose === REQUEST_FILE && !this.#isOver(file)) return file
    throw new MeshError('not_found', `there is no file "${id.slice(0, 64)}" any more`, {
      hint: 'Pictures are kept for a while; ask for b64_json to keep them yourself.'
    })
  }

  async list(filter: FileFilter): Promise<{ readonly files: readonly StoredFile[]; readonly hasMore: boolean }> {
    return await this.#components.files.list(filter)
  }

  /** The bytes, as they are asked for. Throws `not_found` when they are gone. */
  read({ contentId }: StoredFile, options: AbortOptions = {}): AsyncIterable<Uint8Array> {
    return this.#components.content.read(contentId, {}, options)
  }

  /**
   * Removes a file and, when it was of a batch that has ended, the requests of that: they say the same.
   * @throws MeshError `invalid_request` while a batch reads it
   */
  async remove(file: StoredFile): Promise<void> {
    if (await this.#components.batches.reads(file.id)) {
      throw new MeshError('invalid_request', `a batch that has not ended reads file ${file.id}`, {
        hint: 'Cancel the batch, or wait for its end.',
        details: { param: 'file_id' }
      })
    }
    const { files, content, batches, store } = this.#components
    for (const jobId of await batches.jobsOf(file.id)) await store.remove(jobId)
    await files.remove(file.id)
    await content.remove(file.contentId)
  }

  /** Removes files past their time, and bytes that never became one. Nothing but files is in the content store. */
  async sweep(): Promise<void> {
    const { files, content, clock } = this.#components
    const now = clock.now()
    for (const { id, contentId } of await files.expired(now, SWEPT_AT_ONCE)) {
      await files.remove(id)
      await content.remove(contentId)
    }
    await content.prune(now - STRAY_AGE_MS, ids => files.kept(ids))
    await this.#components.bytes.prune()
  }

  #isOver({ expiresAtMs }: StoredFile): boolean {
    return expiresAtMs !== null && expiresAtMs <= this.#components.clock.now()
  }
}

function noSuchFile(id: string): MeshError {
  return new MeshError('not_found', `there is no file "${id.slice(0, 64)}"`, {
    hint: 'GET /v1/files lists yours; files are removed when their time is over.',
    details: { param: 'file_id' }
  })
}

/** The ids of a request's files follow from its own. */
function fileIdOf(requestId: string, index: number): string {
  const first = requestId.replace(/^req_/, 'file-')
  return index === 0 ? first : `${first}-${index}`
}

function newFileId(): string {
  return `file-${randomUUID().replaceAll('-', '')}`
}
