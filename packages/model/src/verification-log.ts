import type { Stats } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'

const recordSchema = z.object({ bytes: z.number(), modifiedMs: z.number() })
const logSchema = z.record(z.string(), recordSchema)

/** Blobs of some hundred models; the oldest records go first, which costs one hashing of their file. */
const RECORDS_MAX = 65_536

/**
 * Remembers which files were hashed and found right, by path, size and time of modification, so that weights are
 * hashed once and not at every start. Losing the log costs time, never correctness.
 */
export class VerificationLog {
  readonly #path: string
  readonly #records: Map<string, z.infer<typeof recordSchema>>
  #writing: Promise<void> = Promise.resolve()

  private constructor(path: string, records: Map<string, z.infer<typeof recordSchema>>) {
    this.#path = path
    this.#records = records
  }

  static async open(path: string): Promise<VerificationLog> {
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch {
      // the first start in this folder
      return new VerificationLog(path, new Map())
    }
    return new VerificationLog(path, parseLog(text))
  }

  trusts(file: string, { size, mtimeMs }: Stats): boolean {
    const record = this.#records.get(file)
    return record !== undefined && record.bytes === size && record.modifiedMs === mtimeMs
  }

  async record(file: string, { size, mtimeMs }: Stats): Promise<void> {
    this.#records.delete(file)
    this.#records.set(file, { bytes: size, modifiedMs: mtimeMs })
    const [oldest] = this.#records.keys()
    if (this.#records.size > RECORDS_MAX && oldest !== undefined) this.#records.delete(oldest)
    this.#writing = this.#writing.then(() => this.#write())
    await this.#writing
  }

  async #write(): Promise<void> {
    const temporary = `${this.#path}.${process.pid}`
    try {
      await writeFile(temporary, JSON.stringify(Object.fromEntries(this.#records)))
      await rename(temporary, this.#path)
    } catch {
      // a full disk must not make a good blob unusable; the next start hashes it again
    }
  }
}

function parseLog(text: string): Map<string, z.infer<typeof recordSchema>> {
  try {
    return new Map(Object.entries(logSchema.parse(JSON.parse(text))))
  } catch {
    // written by another version or damaged: hash again
    return new Map()
  }
}
