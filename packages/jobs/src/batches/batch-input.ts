import { type AbortOptions, MeshError } from '@resultity/interface'
import type { Batch } from '@resultity/store'
import type { FileService } from '../files/file-service.ts'
import { TimeSlice } from '../time-slice.ts'
import { type BatchLine, readBatchLine } from './batch-line.ts'
import { readLines } from './line-reader.ts'

/** Lines that become jobs in one transaction. */
export const LINES_AT_ONCE = 200

/** Fewer where they are long: this many characters, and one line more, are in memory at once. */
const CHARACTERS_AT_ONCE = 8 * 1024 * 1024

export interface Numbered<Line> {
  /** From 1. */
  readonly number: number
  readonly line: Line
}

export interface BatchInputComponents {
  readonly fileService: FileService
}

export interface BatchInputInit {
  readonly batchLineBytesMax: number
}

/** The lines of a batch, as its file has them. */
export class BatchInput {
  readonly #components: BatchInputComponents
  readonly #init: BatchInputInit
  readonly #batch: Pick<Batch, 'inputFileId' | 'namespace' | 'subcloud'>
  readonly #options: AbortOptions

  constructor(
    components: BatchInputComponents,
    init: BatchInputInit,
    batch: Pick<Batch, 'inputFileId' | 'namespace' | 'subcloud'>,
    options: AbortOptions
  ) {
    this.#components = components
    this.#init = init
    this.#batch = batch
    this.#options = options
  }

  /** How many there are; or one more than `max`, and then the number of that line. */
  async count(max: number): Promise<{ readonly count: number; readonly over: number | null }> {
    let count = 0
    for await (const { number } of this.#lines()) {
      this.#options.signal?.throwIfAborted()
      if (++count > max) return { count, over: number }
    }
    return { count, over: null }
  }

  /** Lines after the one of this number, some at a time. */
  async *chunks(after: number): AsyncGenerator<readonly Numbered<BatchLine>[]> {
    const rules = { seen: new Set<string>(), subcloud: this.#batch.subcloud ?? undefined }
    const slice = new TimeSlice()
    let chunk: Numbered<BatchLine>[] = []
    let characters = 0
    for await (const { number, text, fault } of this.#lines()) {
      this.#options.signal?.throwIfAborted()
      // those before are read too: they say which names are taken
      const line = text === undefined ? unreadable(number, fault) : readBatchLine(text, number, rules)
      await slice.next()
      if (number <= after) continue
      chunk.push({ number, line })
      characters += text?.length ?? 0
      if (chunk.length < LINES_AT_ONCE && characters < CHARACTERS_AT_ONCE) continue
      yield chunk
      chunk = []
      characters = 0
    }
    if (chunk.length > 0) yield chunk
  }

  async *#lines() {
    const { inputFileId, namespace } = this.#batch
    const file = await this.#components.fileService.findInUse(inputFileId, namespace)
    yield* readLines(this.#components.fileService.read(file), this.#init.batchLineBytesMax)
  }
}

function unreadable(number: number, fault: 'too-long' | 'not-utf8' | undefined): BatchLine {
  const what = fault === 'too-long' ? `line ${number} is too long` : `line ${number} is not UTF-8`
  return { type: 'error', customId: null, error: new MeshError('invalid_request', what, { hint: 'Correct the line.' }) }
}
