import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type FileContent, safeParse, sha256Schema } from '@resultity/interface'
import { z } from 'zod'

const recordsSchema = z.record(sha256Schema, z.object({ sha256: sha256Schema, verified: z.boolean() }))

/** Files of some tens of models; what was noted first is forgotten first, and at worst made once more. */
const RECORDS_MAX = 8192

/** Remembers which bytes this machine's weight files turned out to hold, by the files' names. One small file on the disk. */
export class ContentRecords implements AsyncDisposable {
  readonly #path: string
  readonly #records: Map<string, Omit<FileContent, 'file'>>
  /** Writes follow one another. */
  #tail: Promise<unknown> = Promise.resolve()
  #closed = false

  private constructor(path: string, records: Map<string, Omit<FileContent, 'file'>>) {
    this.#path = path
    this.#records = records
  }

  /** What is noted in the file at `path`; nothing where it is missing or damaged. */
  static async open(path: string): Promise<ContentRecords> {
    const text = await readFile(path, 'utf8').catch(() => '{}')
    return new ContentRecords(path, new Map(Object.entries(safeParse(recordsSchema, parseOrEmpty(text)).data ?? {})))
  }

  find(file: string): FileContent | undefined {
    const found = this.#records.get(file)
    return found && { file, ...found }
  }

  /** Notes contents in place of what was noted before. Resolves once they are on the disk. */
  async note(contents: readonly FileContent[]): Promise<void> {
    for (const { file, sha256, verified } of contents) {
      this.#records.delete(file)
      this.#records.set(file, { sha256, verified })
    }
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= RECORDS_MAX) break
      this.#records.delete(oldest)
    }
    if (this.#closed) return
    const written = this.#tail.then(() => this.#write())
    this.#tail = written.catch(() => undefined)
    await written
  }

  /** Resolves once nothing is being written. What is noted from now on is not kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#tail
  }

  async #write(): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true })
    // renamed into place: a reader never sees half of it
    await writeFile(`${this.#path}.new`, JSON.stringify(Object.fromEntries(this.#records)))
    await rename(`${this.#path}.new`, this.#path)
  }
}

function parseOrEmpty(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
