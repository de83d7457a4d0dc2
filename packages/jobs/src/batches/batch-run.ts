import { type Caller, type JobAdmission, requireSubcloudsOf } from '@resultity/access'
import { type Clock, MeshError, type Scheduler, systemScheduler } from '@resultity/interface'
import type {
  Batch,
  BatchChange,
  BatchLineError,
  BatchPreparing,
  BatchStatus,
  BatchStore,
  JobStore
} from '@resultity/store'
import { childId } from '../child-jobs.ts'
import type { DiskSpace } from '../files/disk-space.ts'
import type { FileService } from '../files/file-service.ts'
import type { JobContext, JobKind, PreparedJob } from '../job-kind.ts'
import type { JobRuntime } from '../job-runtime.ts'
import { TimeSlice } from '../time-slice.ts'
import { BatchInput, LINES_AT_ONCE, type Numbered } from './batch-input.ts'
import { type BatchLine, type PreparedLine, prepareLine } from './batch-line.ts'
import { errorLines, outputLines, toLineError, type Unanswered, unanswered } from './batch-output.ts'
import { batchFileId, countLines } from './batch-progress.ts'
import {
  type FinalStatus,
  failureOf,
  lineCountFailure,
  linesWith,
  PATIENT,
  unansweredBy,
  unauthorized,
  weightOf,
  weightsOf
} from './batch-rules.ts'
import { afterDeath, deathsOf, partsOf, poisoned } from './suspect-lines.ts'

export interface BatchRunComponents {
  readonly batches: BatchStore
  readonly store: JobStore
  readonly fileService: FileService
  readonly clock: Clock
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  readonly admission: JobAdmission
  readonly disk: Pick<DiskSpace, 'requireSpace'>
  runtime(): JobRuntime
  /** The endpoint of a path that lines may ask. @throws MeshError */
  endpoint(path: string): JobKind
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

/**
 * One attempt at a batch: takes its lines in, waits for them, writes its files.
 *
 * It continues from the stored state, wherever an earlier attempt ended. Lines are taken in order, in chunks that are
 * stored as a whole or not at all, and a job's id follows from its line. The key is checked every time: once it may not
 * ask any more, no further line starts, and finished answers are kept.
 */
export class BatchRun {
  readonly #components: BatchRunComponents
  readonly #init: BatchRunInit
  readonly #context: JobContext
  readonly #input: BatchInput
  #batch: Batch
  /** Why its key may not have it done any more. */
  #refusal: MeshError | undefined

  constructor(components: BatchRunComponents, init: BatchRunInit, context: JobContext, batch: Batch) {
    this.#components = components
    this.#init = init
    this.#context = context
    this.#batch = batch
    this.#input = new BatchInput(components, init, batch, { signal: context.signal })
  }

  async run(): Promise<void> {
    if (this.#batch.status === 'validating' && (await this.#isRefused())) return await this.fail(unauthorized())
    if (this.#batch.status === 'validating') await this.#validate()
    if (this.#batch.status === 'in_progress') await this.#takeLines()
    await this.#untilEnded()
    await this.#end()
  }

  /** Makes the batch `failed`, for an error that no further attempt would cure. */
  async fail(error: MeshError): Promise<void> {
    await this.#change(['validating', 'in_progress', 'finalizing', 'cancelling'], {
      status: 'failed',
      failures: [failureOf(error)]
    })
    await this.#components.store.cancelGroup(this.#batch.jobId)
  }

  /** Counts the lines, so that an invalid batch fails at once. */
  async #validate(): Promise<void> {
    const { batchLinesMax } = this.#init
    const { count: linesTotal, over } = await this.#input.count(batchLinesMax)
    const failure = lineCountFailure(linesTotal, batchLinesMax, over)
    const change =
      failure === undefined
        ? ({ status: 'in_progress', linesTotal } as const)
        : ({ status: 'failed', failures: [failure] } as const)
    await this.#change(['validating'], change)
  }

  async #takeLines(): Promise<void> {
    await this.#note(afterDeath(this.#batch.preparing))
    for await (const chunk of this.#input.chunks(await this.#alreadyTaken())) {
      await this.#untilRoom()
      let left = await this.#prepare(chunk)
      while (left !== undefined && left.length > 0) left = await this.#takeSome(left)
      if (left === undefined) return
    }
  }

  /** Takes the first of these lines, as many as may be jobs now. Undefined once nothing more is to be taken. */
  async #takeSome(lines: readonly Numbered<PreparedLine>[]): Promise<readonly Numbered<PreparedLine>[] | undefined> {
    if (this.#isOver() || (await this.#isRefused())) return undefined
    const { admission } = this.#components
    const { keyId, endpoint } = this.#batch
    const admitted = await admission.admitLines(keyId, endpoint, weightsOf(lines))
    const count = linesWith(lines, admitted.count)
    if (count === 0) {
      await this.#pause()
      await this.#refresh()
      return lines
    }
    const taken = lines.slice(0, count)
    try {
      admitted.stored(await this.#store(taken))
    } catch (error) {
      await admitted.refund()
      // there was no room until the end of the batch: the answers so far are written all the same
      if (PATIENT.has(MeshError.from(error).code) && this.#isOver()) return undefined
      throw error
    }
    await this.#taken(taken)
    return lines.slice(count)
  }

  #isOver(): boolean {
    return this.#batch.status !== 'in_progress' || this.#components.clock.now() >= this.#batch.expiresAtMs
  }

  /** Whether its key may have nothing done any more. @throws MeshError when that cannot be found out */
  async #isRefused(): Promise<boolean> {
    if (this.#refusal !== undefined) return true
    try {
      await this.#components.admission.holder(this.#batch.keyId)
    } catch (error) {
      const known = MeshError.from(error)
      if (known.code !== 'unauthenticated' && known.code !== 'permission_denied') throw known
      this.#refusal = known
    }
    return this.#refusal !== undefined
  }

  /**
   * Prepares a chunk; undefined once no more lines are to be taken. After a temporary error, such as a full queue, it
   * waits.
   */
  async #prepare(chunk: readonly Numbered<BatchLine>[]): Promise<readonly Numbered<PreparedLine>[] | undefined> {
    for (;;) {
      if (this.#isOver() || (await this.#isRefused())) return undefined
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
    const holder = await this.#components.admission.holder(this.#batch.keyId)
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
        prepared.push(...(await this.#preparePart(part, holder)))
      }
    } finally {
      await this.#note({ begun: null, deaths })
    }
    return prepared
  }

  async #preparePart(
    part: readonly Numbered<BatchLine>[],
    holder: Caller | undefined
  ): Promise<readonly Numbered<PreparedLine>[]> {
    const slice = new TimeSlice()
    const prepared: Numbered<PreparedLine>[] = []
    for (const { number, line } of part) {
      prepared.push({ number, line: await this.#prepareLine(line, holder) })
      await slice.next()
    }
    return prepared
  }

  async #note(preparing: BatchPreparing): Promise<void> {
    await this.#change(['validating', 'in_progress', 'cancelling'], { preparing })
  }

  /** A request that the key could never make is the line's error, as a fault of the line is. */
  async #prepareLine(line: BatchLine, holder: Caller | undefined): Promise<PreparedLine> {
    const check = (work: () => void): PreparedLine | undefined => {
      try {
        return void work()
      } catch (error) {
        const customId = line.type === 'request' ? line.customId : null
        return { type: 'error', customId, error: MeshError.from(error) }
      }
    }
    const { admission } = this.#components
    const prepare = async () => await prepareLine(line, url => this.#endpoint(url), this.#batch.namespace)
    if (holder === undefined) return await prepare()
    const forbidden = line.type === 'request' ? check(() => requireSubcloudsOf(holder, line.body)) : undefined
    const prepared = forbidden ?? (await prepare())
    if (prepared.type === 'error') return prepared
    return check(() => admission.requirePossible(holder, this.#batch.endpoint, weightOf(prepared.prepared))) ?? prepared
  }

  /** An attempt may have ended between making jobs of some lines and saying so. */
  async #alreadyTaken(): Promise<number> {
    for await (const chunk of this.#input.chunks(this.#batch.linesTaken)) {
      const known = await Promise.all(chunk.map(({ number }) => this.#components.store.get(this.#jobId(number))))
      const last = known.findLastIndex(job => job !== undefined)
      if (last !== -1) await this.#taken(chunk.slice(0, last + 1))
      break
    }
    return this.#batch.linesTaken
  }

  /** @returns ids of the jobs that were made */
  async #store(lines: readonly Numbered<PreparedLine>[]): Promise<readonly string[]> {
    const { batches, clock } = this.#components
    const jobs = lines.flatMap(({ number, line }) =>
      line.type === 'job' ? [this.#job(number, line, this.#batch.expiresAtMs - clock.now())] : []
    )
    await batches.addLineErrors(this.#batch.id, lines.flatMap(toLineError))
    await this.#submit(jobs)
    return jobs.map(({ options }) => options.id)
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

  /** A full queue, disk or namespace is waited for: the batch has until its end. */
  async #submit(jobs: Parameters<JobRuntime['submitAll']>[0]): Promise<void> {
    if (jobs.length === 0) return
    for (;;) {
      try {
        await this.#components.disk.requireSpace()
        return await this.#components.runtime().submitAll(jobs)
      } catch (error) {
        if (!PATIENT.has(MeshError.from(error).code)) throw error
        await this.#pause()
        await this.#refresh()
        if (this.#isOver()) throw error
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

  /** Resolves once no line waits or runs. Lines of a batch that is being cancelled are told to end. */
  async #untilEnded(): Promise<void> {
    for (;;) {
      await this.#refresh()
      const ending = this.#batch.status === 'cancelling' || (await this.#isRefused())
      if (ending) await this.#components.store.cancelGroup(this.#batch.jobId)
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
    const failures = status === 'failed' ? { failures: [failureOf(unauthorized())] } : {}
    const change = { status, linesCompleted: counts.completed, linesFailed: failed, ...files, ...failures }
    await this.#change(['finalizing', 'cancelling'], change)
  }

  #finalStatus(incomplete: boolean): FinalStatus {
    if (this.#refusal !== undefined && incomplete) return 'failed'
    if (this.#batch.status === 'cancelling') return 'cancelled'
    return incomplete ? 'expired' : 'completed'
  }

  #errorLines(status: FinalStatus): AsyncIterable<Uint8Array> {
    const why = unansweredBy[status]
    return errorLines(this.#batch, this.#components, why, this.#untaken(why))
  }

  /** Lines that were not come to. */
  async *#untaken(code: Unanswered): AsyncGenerator<BatchLineError> {
    for await (const chunk of this.#input.chunks(this.#batch.linesTaken)) {
      for (const { number, line } of chunk) yield unanswered(number, line.customId, code)
    }
  }

  async #write(kind: 'output' | 'errors', bytes: AsyncIterable<Uint8Array>): Promise<string> {
    const { id, namespace, outputExpiresSeconds } = this.#batch
    const filename = `${id}_${kind}.jsonl`
    const expiry = outputExpiresSeconds === null ? {} : { expiresAfterMs: outputExpiresSeconds * 1000 }
    const file = { namespace, filename, purpose: 'batch_output', ...expiry }
    const { signal } = this.#context
    return (await this.#components.fileService.write(batchFileId(id, kind), bytes, file, { signal })).id
  }

  /** @throws MeshError `invalid_request` for another endpoint than the batch's */
  #endpoint(url: string): JobKind {
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
    const { scheduler = systemScheduler } = this.#components
    await scheduler.sleep(this.#init.batchPollMs, { signal })
  }
}
