import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAccessControl } from '@resultity/access'
import { MeshError, systemClock } from '@resultity/interface'
import {
  type Batch,
  DatabaseBatchStore,
  DatabaseFileStore,
  GROUP_LANES,
  type JsonValue,
  NamespaceBytes,
  openDatabase,
  openJobStore
} from '@resultity/store'
import { pino } from 'pino'
import type { Test } from 'tap'
import { BatchRun, type BatchRunComponents, type BatchRunInit } from '../../src/batches/batch-run.ts'
import { FileContentStore } from '../../src/files/file-content-store.ts'
import { FileService } from '../../src/files/file-service.ts'
import { type JobKind, JobKinds } from '../../src/job-kind.ts'
import { DEFAULT_JOB_LIMITS } from '../../src/job-limits.ts'
import { JobRuntime } from '../../src/job-runtime.ts'

export const LINES_PATH = '/v1/lines'
const DAY_MS = 24 * 60 * 60_000
const LANE = 'model:x'

/** What lines say: how their job ends. */
export interface LineBody {
  readonly say?: string
  readonly fail?: true
  readonly refuse?: true
  /** Runs until it is told to end. */
  readonly hang?: true
}

/** Batches over real stores and a real runtime, whose one kind of job does what its line says. */
export class BatchBench {
  readonly components: BatchRunComponents
  /** Custom ids of lines, as they are run. */
  readonly ran: JsonValue[] = []
  places = 8
  readonly #limits: BatchRunInit
  #batches = 0

  private constructor(components: BatchRunComponents, limits: BatchRunInit) {
    this.components = components
    this.#limits = limits
  }

  static async open(t: Test, limits: Partial<BatchRunInit> = {}): Promise<BatchBench> {
    const dataDir = await mkdtemp(join(tmpdir(), 'resultity-batches-'))
    const database = await openDatabase({ dataDir })
    const store = await openJobStore(database, { waitingLanes: GROUP_LANES, namespaceBytesMax: 2 ** 40 })
    const batches = new DatabaseBatchStore(database)
    const logger = pino({ level: 'silent' })
    const disk = { requireSpace: async () => {} }
    const clock = systemClock
    const access = await openAccessControl(
      { database, clock, steady: clock, logger },
      { host: '127.0.0.1', version: '0' }
    )
    const fileService = new FileService(
      {
        files: new DatabaseFileStore(database),
        content: await FileContentStore.open(dataDir),
        bytes: new NamespaceBytes(database, 2 ** 40),
        batches,
        store,
        disk,
        clock,
        logger
      },
      DEFAULT_JOB_LIMITS
    )
    const kind = lineKind((customId: JsonValue) => bench.ran.push(customId))
    const kinds = new JobKinds([kind])
    const places = { places: () => bench.places, mayClaim: () => true, onChange: () => () => {} }
    const runtime = new JobRuntime(
      { store, kinds, places, clock, logger, admission: access.jobs },
      { ...DEFAULT_JOB_LIMITS, jobRetryMs: 1 }
    )
    const bench: BatchBench = new BatchBench(
      {
        batches,
        store,
        fileService,
        clock,
        disk,
        admission: access.jobs,
        runtime: () => runtime,
        endpoint: path => kinds.get(path)
      },
      { ...DEFAULT_JOB_LIMITS, batchPollMs: 2, ...limits }
    )
    await runtime.start()
    t.teardown(async () => {
      await runtime[Symbol.asyncDispose]()
      await access[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
    })
    return bench
  }

  /** A batch of this input, which nobody works at yet. */
  async add(input: string, change: Partial<Batch> = {}): Promise<Batch> {
    const number = ++this.#batches
    const file = { namespace: 'default', filename: 'in.jsonl', purpose: 'batch' }
    const { id: inputFileId } = await this.components.fileService.write(`file-${number}`, bytesOf(input), file, {})
    const now = Date.now()
    return await this.components.batches.add({
      id: `batch_${number}`,
      namespace: 'default',
      keyId: null,
      jobId: `req_${String(number).padStart(32, 'b')}`,
      endpoint: LINES_PATH,
      inputFileId,
      completionWindow: '24h',
      metadata: null,
      outputExpiresSeconds: null,
      subcloud: null,
      createdAtMs: now,
      expiresAtMs: now + DAY_MS,
      ...change
    })
  }

  /** One attempt at it, from what is stored. */
  attempt(batch: Batch, components: Partial<BatchRunComponents> = {}, signal = new AbortController().signal): BatchRun {
    // of its job a batch asks nothing but the signal
    const context = { signal } as ConstructorParameters<typeof BatchRun>[2]
    return new BatchRun({ ...this.components, ...components }, this.#limits, context, batch)
  }

  async find({ id }: Batch): Promise<Batch> {
    const found = await this.components.batches.find(id)
    if (found === undefined) throw new Error(`there is no ${id}`)
    return found
  }

  /** Lines of one of its files, or none. */
  async lines(fileId: string | null): Promise<LineOfFile[]> {
    if (fileId === null) return []
    const { fileService } = this.components
    const file = await fileService.find(fileId, 'default')
    const chunks: Uint8Array[] = []
    for await (const chunk of fileService.read(file, {})) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    return text
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line))
  }
}

/** What a line of an output or error file has, as far as tests look at it. */
export interface LineOfFile {
  readonly custom_id: string | null
  readonly response: { readonly body: JsonValue } | null
  readonly error: { readonly code: string; readonly message: string } | null
}

export function inputOf(bodies: readonly LineBody[]): string {
  return bodies
    .map((body, at) => JSON.stringify({ custom_id: `line ${at + 1}`, method: 'POST', url: LINES_PATH, body }))
    .join('\n')
}

function lineKind(onRun: (customId: JsonValue) => void): JobKind<LineBody> {
  return {
    path: LINES_PATH,
    prepare: async body => {
      const data = body as LineBody
      if (data.refuse === true) throw new MeshError('invalid_request', 'refused', { details: { param: 'refuse' } })
      const tokens = { prompt: 1, answerMax: 1 }
      return { lane: LANE, request: body as JsonValue, streamed: false, outlivesClient: true, tokens, data }
    },
    check: () => {},
    run: async ({ say = '', fail, hang }, { job, signal }) => {
      onRun(job.customId ?? null)
      if (fail === true) throw new MeshError('engine_failed', 'it broke')
      if (hang === true) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      return { result: { status: 200, headers: {}, body: { said: say } }, usage: null }
    }
  }
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text)
}
