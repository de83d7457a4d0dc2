/** The purpose of files that came with a request: they are part of it, so that no list shows them. */
export const REQUEST_FILE = 'request'

/** A file of a client, or one made for it. */
export interface StoredFile {
  readonly id: string
  /** Id of its bytes, which are kept elsewhere. */
  readonly contentId: string
  readonly namespace: string
  /** The client's name for it: for people, never a path. */
  readonly filename: string
  readonly purpose: string
  readonly bytes: number
  /** Unix milliseconds. */
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
}

export interface FileFilter {
  readonly namespace: string
  readonly purpose?: string
  /** Only files after the one with this id, in the requested order. */
  readonly after?: string
  /** Order by creation. Default `desc`. */
  readonly order?: 'asc' | 'desc'
  readonly limit: number
}

/** Metadata of files; their bytes are elsewhere. */
export interface FileStore {
  /** Replaces one of the same id. */
  put(file: StoredFile): Promise<void>
  find(id: string): Promise<StoredFile | undefined>
  /** Without those of requests. @throws MeshError `not_found` when `filter.after` names no file */
  list(filter: FileFilter): Promise<{ readonly files: readonly StoredFile[]; readonly hasMore: boolean }>
  /** Bytes of all files of a namespace. */
  bytesOf(namespace: string): Promise<number>
  /** @returns whether there was one */
  remove(id: string): Promise<boolean>
  /** Files past their time that no unfinished batch reads. */
  expired(nowMs: number, limit: number): Promise<readonly StoredFile[]>
  /** Which of these contents are files. */
  kept(contentIds: readonly string[]): Promise<ReadonlySet<string>>
}
