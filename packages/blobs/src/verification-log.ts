import type { Stats } from 'node:fs'
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { z } from 'zod'

/** Raised when records come to mean something else: older ones are then not used. */
const LOG_VERSION = 2

/** Blobs of some hundred models; the oldest records go first, which costs one hashing of their file. */
const RECORDS_MAX = 65_536

/** So many records with long paths; a larger file is not ours. */
const LOG_BYTES_MAX = 64 * 1024 * 1024

const amount = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER)
const recordSchema = z.strictObject({
  bytes: amount,
  modifiedMs: amount,
  /** Of the file's last change of any kind. Programs can set the time of modification, but not this one. */
  changedMs: amount,
  inode: z.number().nonnegative()
})
const logSchema = z.strictObject({
  version: z.literal(LOG_VERSION),
  files: z.array(z.tuple([z.string().max(4096), recordSchema])).max(RECORDS_MAX)
})
type VerifiedFile = z.infer<typeof recordSchema>

/**
 * Remembers which files were hashed and found right, so that weights are hashed once and not at every start. A file is
 * trusted while it is the same inode, as long as it was, and untouched since; on any doubt it is hashed again. Losing the
 * log costs time, never correctness.
 *
 * A user that can write the log can write the blobs beside it, so it is as trustworthy as the data directory.
 */
export class VerificationLog {
  readonly #path: string
  readonly #records: Map<string, VerifiedFile>
  #writing: Promise<void> = Promise.resolve()

  private constructor(path: string, records: Map<string, VerifiedFile>) {
    this.#path = path
    this.#records = records
  }

  static async open(path: string): Promise<VerificationLog> {
    return new VerificationLog(path, new Map(await readLog(path)))
  }

  trusts(file: string, stats: Stats): boolean {
    const record = this.#records.get(file)
    if (record === undefined) return false
    const now = recordOf(stats)
    return (
      record.bytes === now.bytes &&
      record.modifiedMs === now.modifiedMs &&
      record.changedMs === now.changedMs &&
      record.inode === now.inode
    )
  }

  /** @param stats of `file` as they were before it was hashed */
  async record(file: string, stats: Stats): Promise<void> {
    this.#records.delete(file)
    this.#records.set(file, recordOf(stats))
    const [oldest] = this.#records.keys()
    if (this.#records.size > RECORDS_MAX && oldest !== undefined) this.#records.delete(oldest)
    this.#writing = this.#writing.then(() => this.#write())
    await this.#writing
  }

  async #write(): Promise<void> {
    const temporary = `${this.#path}.${process.pid}`
    try {
      await writeFile(temporary, JSON.stringify({ version: LOG_VERSION, files: [...this.#records] }))
      await rename(temporary, this.#path)
    } catch {
      // a full disk must not make a good blob unusable; the next start hashes it again
    }
  }
}

function recordOf({ size, mtimeMs, ctimeMs, ino }: Stats): VerifiedFile {
  return { bytes: size, modifiedMs: mtimeMs, changedMs: ctimeMs, inode: ino }
}

async function readLog(path: string): Promise<[string, VerifiedFile][]> {
  try {
    const { size } = await stat(path)
    if (size > LOG_BYTES_MAX) return []
    return logSchema.parse(JSON.parse(await readFile(path, 'utf8'))).files
  } catch {
    // the first start in this folder, or written by another version, or damaged: hash again
    return []
  }
}
