import { randomUUID } from 'node:crypto'
import { type AbortOptions, type Clock, MeshError } from '@resultity/interface'
import type { BatchStore, ContentStore, FileFilter, FileStore, StoredContent, StoredFile } from '@resultity/store'
import type { Logger } from 'pino'

export interface FileShelfComponents {
  readonly files: FileStore
  readonly content: ContentStore
  readonly batches: BatchStore
  readonly clock: Clock
  readonly logger: Logger
}

export interface FileShelfInit {
  /** Longest file taken. */
  readonly fileBytesMax: number
  /** Files of one namespace together. */
  readonly namespaceFileBytesMax: number
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

/** Bytes that are no file by then never will be: an upload takes minutes. */
const STRAY_AGE_MS = 24 * 60 * 60_000

/** Files removed in one go. */
const SWEPT_AT_ONCE = 100

/** Keeps clients' files: bytes in the content store, what is known of them in the database. */
export class FileShelf implements Disposable {
  readonly #components: FileShelfComponents
  readonly #init: FileShelfInit
  #timer: NodeJS.Timeout | undefined

  constructor(components: FileShelfComponents, init: FileShelfInit) {
    this.#components = components
    this.#init = init
  }

  /** Removes files past their time, from now on. */
  start(): void {
    this.#timer = setInterval(() => {
      this.sweep().catch((err: unknown) => this.#components.logger.error({ err }, 'old files were not removed'))
    }, this.#init.fileSweepMs)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /**
   * Stores bytes as they come; {@link keep} makes a file of them.
   * @throws MeshError `invalid_request` with `details.bytesMax` when they are too many, or when the namespace is full
   */
  async receive(
    bytes: AsyncIterable<Uint8Array>,
    namespace: string,
    options: AbortOptions = {}
  ): Promise<StoredContent> {
    await this.requireRoom(namespace)
    return await this.#components.content.write(bytes, this.#init.fileBytesMax, options)
  }

  /** Makes a file of what was received. @throws MeshError `invalid_request` when the namespace is full */
  async keep(content: StoredContent, file: NewFile): Promise<StoredFile> {
    // others may have come meanwhile
    await this.requireRoom(file.namespace, content.bytes)
    return await this.#put(content, file, newFileId())
  }

  /** @throws MeshError `invalid_request` when so many bytes more are too many for the namespace */
  async requireRoom(namespace: string, bytes = 1): Promise<void> {
    const { namespaceFileBytesMax: most } = this.#init
    const there = await this.#components.files.bytesOf(namespace)
    if (there + bytes <= most) return
    throw new MeshError('invalid_request', `your files have ${there} bytes, and ${most} is the most`, {
      hint: 'Delete some first; GET /v1/files lists them.',
      details: { param: 'file', bytesMax: most }
    })
  }

  async #put(content: StoredContent, file: NewFile, id: string): Promise<StoredFile> {
    const createdAtMs = this.#components.clock.now()
    const { expiresAfterMs = this.#init.fileRetentionMs, ...rest } = file
    const { id: contentId, bytes } = content
    const stored = { ...rest, id, contentId, bytes, createdAtMs, expiresAtMs: createdAtMs + expiresAfterMs }
    await this.#components.files.put(stored)
    return stored
  }

  /** Forgets what was received and never kept. */
  async drop({ id }: StoredContent): Promise<void> {
    await this.#components.content.remove(id)
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

  /** @throws MeshError `not_found`, also for what belongs to somebody else */
  async find(id: string, namespace: string): Promise<StoredFile> {
    const file = await this.findInUse(id, namespace)
    if (!this.#isOver(file)) return file
    throw noSuchFile(id)
  }

  /** As {@link find}, even past its time: a batch may read its input to the end. */
  async findInUse(id: string, namespace: string): Promise<StoredFile> {
    const file = await this.#components.files.find(id)
    if (file?.namespace === namespace) return file
    throw noSuchFile(id)
  }

  async list(filter: FileFilter): Promise<{ readonly files: readonly StoredFile[]; readonly hasMore: boolean }> {
    return await this.#components.files.list(filter)
  }

  /** The bytes, as they are asked for. Throws `not_found` when they are gone. */
  read({ contentId }: StoredFile, options: AbortOptions = {}): AsyncIterable<Uint8Array> {
    return this.#components.content.read(contentId, {}, options)
  }

  /** @throws MeshError `invalid_request` while a batch reads it */
  async remove(file: StoredFile): Promise<void> {
    if (await this.#components.batches.reads(file.id)) {
      throw new MeshError('invalid_request', `a batch that has not ended reads file ${file.id}`, {
        hint: 'Cancel the batch, or wait for its end.',
        details: { param: 'file_id' }
      })
    }
    await this.#components.files.remove(file.id)
    await this.#components.content.remove(file.contentId)
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

function newFileId(): string {
  return `file-${randomUUID().replaceAll('-', '')}`
}
