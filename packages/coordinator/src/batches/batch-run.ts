import { setTimeout } from 'node:timers/promises'
import { type Clock, MeshError } from '@resultity/interface'
import type {
  Batch,
  BatchChange,
  BatchLineError,
  BatchPreparing,
  BatchStatus,
  BatchStore,
  JobStore
} from '@resultity/store'
import type { FileShelf } from '../files/file-shelf.ts'
import { toJobError } from '../http/error-reply.ts'
import { childId } from '../jobs/child-jobs.ts'
import type { JobContext, JobEndpoint, PreparedJob } from '../jobs/job-endpoint.ts'
import type { JobRuntime } from '../jobs/job-runtime.ts'
import { TimeSlice } from '../time-slice.ts'
import { type BatchLine, type PreparedLine, prepareLine, readBatchLine } from './batch-line.ts'
import { errorLines, outputLines, type Unanswered, unanswered } from './batch-output.ts'
import { batchFileId, countLines } from './batch-progress.ts'
import { readLines } from './line-reader.ts'
import { afterDeath, deathsOf, partsOf } from './suspect-lines.ts'

export interface BatchRunComponents {
  readonly batches: BatchStore
  readonly store: JobStore
  readonly shelf: FileShelf
  readonly clock: Clock
  runtime(): JobRuntime
  /** What lines may ask. @throws MeshError */
  endpoint(path: string): JobEndpoint
}

export interface BatchRunInit {
  /** Most lines of a batch. */
  readonly batchLinesMax: number
  readonly batchLineBytesMax: number
  /** Lines of one batch that wait or run at once; the others wait in its file. */
  readonly batchOpenMax: number
  /** Processes that may end over one line; then it is not tried again. */
  readonly jobCrashesMax: number
  /** How often its progress is looked at. */
  readonly batchPollMs: number
}

/** Lines that become jobs in one transaction. */
const LINES_AT_ONCE = 200

/** Fewer where they are long: this many characters, and one line more, are in memory at once. */
const CHARACTERS_AT_ONCE = 8 * 1024 * 1024

interface Numbered<Line> {
  readonly number: number
  readonly line: Line
}

/**
 * One attempt at a batch: takes its lines in, waits for them, writes its files.
 *
 * Whatever moment an earlier attempt ended at, this one goes on from what is stored: lines are taken in chunks that are
 * jobs as a whole or not at all, and a job's id follows from its line.
 */
export class BatchRun {
  readonly #components: BatchRunComponents
  readonly #init: BatchRunInit
  readonly #context: JobContext
  #batch: Batch

  constructor(components: BatchRunComponents, init: BatchRunInit, context: JobContext, batch: Batch) {
    this.#components = components
    this.#init = init
    this.#context = context
    this.#batch = batch
  }

  async run(): Promise<void> {
    if (this.#batch.status === 'validating') await this.#validate()
    if (this.#batch.status === 'in_progress') await this.#takeLines()
    await this.#untilEnded()
    await this.#end()
  }

  /** Makes the batch `failed`: for what no further attempt would cure. */
  async fail({ code, message }: MeshError): Promise<void> {
    await this.#change(['validating', 'in_progress', 'finalizing', 'cancelling'], {
      status: 'failed',
      failures: [{ code, message, line: null, param: null }]
    })
    await this.#components.store.cancelGroup(this.#batch.jobId)
  }

  /** Counts the lines, so that what is no batch at all is said at once. */
  async #validate(): Promise<void> {
    const { batchLinesMax } = this.#init
    let count = 0
    for await (const _ of this.#lines()) {
      this.#context.signal.throwIfAborted()
      if (++count > batchLinesMax) break
    }
    if (count > 0 && count <= batchLinesMax) {
      await this.#change(['validating'], { status: 'in_progress', linesTotal: count })
      return
    }
    const failure =
      count === 0
        ? { code: 'empty_file', message: 'The input file has no lines.' }
        : { code: 'too_many_tasks', message: `The input file has more than ${batchLinesMax} lines. Split it.` }
    const failures = [{ ...failure, line: null, param: 'input_file_id' }]
    await this.#change(['validating'], { status: 'failed', failures })
  }

  async #takeLines(): Promise<void> {
    await this.#note(afterDeath(this.#batch.preparing))
    for await (const chunk of this.#chunks(await this.#alreadyTaken())) {
      await this.#untilRoom()
      const prepared = await this.#prepare(chunk)
      if (prepared === undefined) return
      await this.#takeChunk(prepared)
    }
  }

  /** Makes a chunk ready; undefined once nothing more is to be taken. What may pass is waited for, as a full queue is. */
  async #prepare(chunk: readonly Numbered<BatchLine>[]): Promise<readonly Numbered<PreparedLine>[] | undefined> {
    const { clock } = this.#components
    for (;;) {
      if (this.#batch.status !== 'in_progress' || clock.now() >= this.#batch.expiresAtMs) return undefined
      try {
        return await this.#prepareAll(chunk)
      } catch (error) {
        if (!MeshError.from(error).retryable) throw error
        await this.#pause()
        await this.#refresh()
      }
    }
  }

  async #prepareAll(chunk: readonly Numbered<BatchLine>[]): Promise<readonly Numbered<PreparedLine>[]> {
    const deaths = this.#batch.preparing?.deaths ?? {}
    const prepared: Numbered<PreparedLine>[] = []
    try {
      for (const part of partsOf(chunk, deaths)) {
        const [first, last] = [part[0]?.number ?? 0, part.at(-1)?.number ?? 0]
        const times = deathsOf(deaths, first)
        if (times >= this.#init.jobCrashesMax) {
          prepared.push(...part.map(({ number, line }) => ({ number, line: poisoned(line, times) })))
          continue
        }
        // before anything is made of them: should the process end over one, the next knows over which
        await this.#note({ begun: [first, last], deaths })
        prepared.push(...(await this.#preparePart(part)))
      }
    } finally {
      await this.#note({ begun: null, deaths })
    }
    return prepared
  }

  async #preparePart(part: readonly Numbered<BatchLine>[]): Promise<readonly Numbered<PreparedLine>[]> {
    const slice = new TimeSlice()
    const prepared: Numbered<PreparedLine>[] = []
    for (const { number, line } of part) {
      prepared.push({ number, line: await prepareLine(line, url => this.#endpoint(url)) })
      await slice.next()
    }
    return prepared
  }

  async #note(preparing: BatchPreparing): Promise<void> {
    await this.#change(['validating', 'in_progress', 'cancelling'], { preparing })
  }

  /** An attempt may have ended between making jobs of a chunk and saying so. */
  async #alreadyTaken(): Promise<number> {
    for await (const chunk of this.#chunks(this.#batch.linesTaken)) {
      const known = await Promise.all(chunk.map(({ number }) => this.#components.store.get(this.#jobId(number))))
      if (known.some(job => job !== undefined)) await this.#taken(chunk)
      break
    }
    return this.#batch.linesTaken
  }

  async #takeChunk(chunk: readonly Numbered<PreparedLine>[]): Promise<void> {
    const { batches, clock } = this.#components
    const jobs = chunk.flatMap(({ number, line }) =>
      line.type === 'job' ? [this.#job(number, line, this.#batch.expiresAtMs - clock.now())] : []
    )
    await batches.addLineErrors(this.#batch.id, chunk.flatMap(toLineError))
    await this.#submit(jobs)
    await this.#taken(chunk)
  }

  #job(number: number, { customId, prepared }: { customId: string; prepared: PreparedJob }, waitMs: number) {
    const { namespace, keyId, endpoint, jobId } = this.#batch
    const options = {
      id: this.#jobId(number),
      endpoint,
      namespace,
      keyId,
      class: 'batch' as const,
      detached: true,
      groupId: jobId,
      customId,
      hidden: true,
      waitMs
    }
    return { prepared, options }
  }

  /** A full queue is waited for: the batch has until its end. */
  async #submit(jobs: Parameters<JobRuntime['submitAll']>[0]): Promise<void> {
    if (jobs.length === 0) return
    for (;;) {
      try {
        return await this.#components.runtime().submitAll(jobs)
      } catch (error) {
        if (MeshError.from(error).code !== 'resource_exhausted') throw error
        await this.#pause()
      }
    }
  }

  async #taken(chunk: readonly Numbered<unknown>[]): Promise<void> {
    const linesTaken = chunk.at(-1)?.number ?? this.#batch.linesTaken
    await this.#change(['in_progress', 'cancelling'], { linesTaken, preparing: null })
  }

  async #untilRoom(): Promise<void> {
    for (;;) {
      await this.#refresh()
      const { open } = await countLines(this.#batch, this.#components)
      if (this.#batch.status !== 'in_progress' || open + LINES_AT_ONCE <= this.#init.batchOpenMax) return
      await this.#pause()
    }
  }

  /** Until no line waits or runs. Those of a batch that is being cancelled are told to end. */
  async #untilEnded(): Promise<void> {
    for (;;) {
      await this.#refresh()
      if (this.#batch.status === 'cancelling') await this.#components.store.cancelGroup(this.#batch.jobId)
      const { open } = await countLines(this.#batch, this.#components)
      if (open === 0) return
      await this.#pause()
    }
  }

  async #end(): Promise<void> {
    await this.#change(['in_progress'], { status: 'finalizing' })
    if (this.#batch.status !== 'finalizing' && this.#batch.status !== 'cancelling') return
    if (this.#batch.status === 'cancelling' && this.#batch.linesTotal !== null) await this.#alreadyTaken()
    const counts = await countLines(this.#batch, this.#components)
    const untakenCount = counts.total - counts.completed - counts.failed
    const status = this.#finalStatus(counts.expired > 0 || untakenCount > 0)
    const failed = counts.failed + untakenCount
    const files = {
      ...(counts.completed === 0
        ? {}
        : { outputFileId: await this.#write('output', outputLines(this.#batch.jobId, this.#components)) }),
      ...(failed === 0 ? {} : { errorFileId: await this.#write('errors', this.#errorLines(status)) })
    }
    const change = { status, linesCompleted: counts.completed, linesFailed: failed, ...files }
    await this.#change(['finalizing', 'cancelling'], change)
  }

  #finalStatus(incomplete: boolean): 'completed' | 'expired' | 'cancelled' {
    if (this.#batch.status === 'cancelling') return 'cancelled'
    return incomplete ? 'expired' : 'completed'
  }

  #errorLines(status: 'completed' | 'expired' | 'cancelled'): AsyncIterable<Uint8Array> {
    return errorLines(
      this.#batch,
      this.#components,
      this.#untaken(status === 'expired' ? 'batch_expired' : 'batch_cancelled')
    )
  }

  /** Lines that were not come to. */
  async *#untaken(code: Unanswered): AsyncGenerator<BatchLineError> {
    for await (const chunk of this.#chunks(this.#batch.linesTaken)) {
      for (const { number, line } of chunk) yield unanswered(number, line.customId, code)
    }
  }

  async #write(kind: 'output' | 'errors', bytes: AsyncIterable<Uint8Array>): Promise<string> {
    const { id, namespace, outputExpiresSeconds } = this.#batch
    const filename = `${id}_${kind}.jsonl`
    const expiry = outputExpiresSeconds === null ? {} : { expiresAfterMs: outputExpiresSeconds * 1000 }
    const file = { namespace, filename, purpose: 'batch_output', ...expiry }
    const { signal } = this.#context
    return (await this.#components.shelf.write(batchFileId(id, kind), bytes, file, { signal })).id
  }

  async *#lines() {
    const { inputFileId, namespace } = this.#batch
    const file = await this.#components.shelf.findInUse(inputFileId, namespace)
    yield* readLines(this.#components.shelf.read(file), this.#init.batchLineBytesMax)
  }

  /** Lines after the one of this number, in chunks that are the same in every attempt. */
  async *#chunks(after: number): AsyncGenerator<readonly Numbered<BatchLine>[]> {
    const rules = { seen: new Set<string>(), subcloud: this.#batch.subcloud ?? undefined }
    const slice = new TimeSlice()
    let chunk: Numbered<BatchLine>[] = []
    let characters = 0
    for await (const { number, text, fault } of this.#lines()) {
      this.#context.signal.throwIfAborted()
      // those before are read too: they say which names are taken
      const line = text === undefined ? unreadable(fault) : readBatchLine(text, rules)
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

  /** @throws MeshError `invalid_request` for another endpoint than the batch's */
  #endpoint(url: string): JobEndpoint {
    const { endpoint } = this.#batch
    if (url === endpoint) return this.#components.endpoint(url)
    throw new MeshError('invalid_request', `url is "${url.slice(0, 128)}" in a batch for ${endpoint}`, {
      hint: 'Make a batch for each endpoint.',
      details: { param: 'url' }
    })
  }

  #jobId(line: number): string {
    return childId(this.#batch.jobId, `line ${line}`)
  }

  /** Changes it if it still is as it was; in any case, sees how it is now. */
  async #change(from: readonly BatchStatus[], change: BatchChange): Promise<void> {
    const { batches, clock } = this.#components
    const changed = await batches.change(this.#batch.id, from, change, clock.now())
    if (changed === undefined) await this.#refresh()
    else this.#batch = changed
  }

  async #refresh(): Promise<void> {
    this.#batch = (await this.#components.batches.find(this.#batch.id)) ?? this.#batch
  }

  async #pause(): Promise<void> {
    const { signal } = this.#context
    signal.throwIfAborted()
    await setTimeout(this.#init.batchPollMs, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

function toLineError({ number, line }: Numbered<PreparedLine>): BatchLineError[] {
  if (line.type !== 'error') return []
  return [{ line: number, customId: line.customId, error: toJobError(line.error) }]
}

/** What a process ended over so many times. */
function poisoned({ customId }: BatchLine, times: number): PreparedLine {
  const message = `${times} coordinators ended while they read this line`
  const hint = 'It may be what ended them: it is not read again.'
  return { type: 'error', customId, error: new MeshError('interrupted_too_often', message, { hint }) }
}

function unreadable(fault: 'too-long' | 'not-utf8' | undefined): BatchLine {
  const what = fault === 'too-long' ? 'the line is too long' : 'the line is not UTF-8'
  return { type: 'error', customId: null, error: new MeshError('invalid_request', what, { hint: 'Correct the line.' }) }
}
