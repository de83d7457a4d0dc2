import { parseInput } from '@resultity/api-kit'
import { MeshError } from '@resultity/interface'
import { type JsonValue, type NewBatch, OUTER_GROUP_LANE } from '@resultity/store'
import { z } from 'zod'
import type { JobAnswer, JobContext, JobKind, PreparedJob } from '../job-kind.ts'
import { BatchRun, type BatchRunComponents, type BatchRunInit } from './batch-run.ts'

export const BATCHES_PATH = '/v1/batches'

/** The body of a batch's job: the batch itself, so that the job alone is enough to begin it. */
const newBatchSchema = z.object({
  id: z.string(),
  namespace: z.string(),
  keyId: z.string().nullable(),
  jobId: z.string(),
  endpoint: z.string(),
  inputFileId: z.string(),
  completionWindow: z.string(),
  metadata: z.record(z.string(), z.string()).nullable(),
  outputExpiresSeconds: z.int().nullable(),
  subcloud: z.string().nullable().default(null),
  createdAtMs: z.int(),
  expiresAtMs: z.int()
})

/** Runs batches. Each is one job that makes a job of every line. */
export class BatchEndpoint implements JobKind<NewBatch> {
  readonly path = BATCHES_PATH
  readonly watchesKey = true
  readonly #components: BatchRunComponents
  readonly #init: BatchRunInit

  constructor(components: BatchRunComponents, init: BatchRunInit) {
    this.#components = components
    this.#init = init
  }

  async prepare(body: unknown): Promise<PreparedJob<NewBatch>> {
    const batch: NewBatch = parseInput(newBatchSchema, body)
    return {
      lane: OUTER_GROUP_LANE,
      request: body as JsonValue,
      streamed: false,
      outlivesClient: true,
      tokens: { prompt: 0, answerMax: 0 },
      data: batch
    }
  }

  /** A batch waits until its lines can be served. */
  check(): void {}

  async run(batch: NewBatch, context: JobContext): Promise<JobAnswer> {
    const run = new BatchRun(this.#components, this.#init, context, await this.#components.batches.add(batch))
    try {
      await run.run()
    } catch (error) {
      const known = MeshError.from(error)
      const { attempts, interruptions, attemptsMax } = context.job
      const tryAgain = known.retryable && attempts - interruptions < attemptsMax
      if (context.signal.aborted || tryAgain) throw known
      await run.fail(known)
    }
    return { result: { status: 200, headers: {}, body: { id: batch.id } }, usage: null }
  }
}
