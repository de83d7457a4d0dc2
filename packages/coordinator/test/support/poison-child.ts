import { openAccessControl } from '@resultity/access'
import { systemClock } from '@resultity/interface'
import {
  BATCHES_PATH,
  BatchEndpoint,
  DiskSpace,
  FileService,
  type JobKind,
  JobKinds,
  JobRuntime
} from '@resultity/jobs'
import { openDatabase } from '@resultity/store'
import { pino } from 'pino'
import { openStores } from '../../src/job-parts.ts'
import { DEFAULT_LIMITS } from '../../src/settings.ts'

/** A coordinator's jobs and batches, over real stores, whose endpoint ends the process where a body says so. */
const [, , dataDir = '', doing] = process.argv
const BATCH = 'batch_1'
const JOB = `req_${'0'.repeat(32)}`
const ENDPOINT = '/v1/test'
const limits = { ...DEFAULT_LIMITS, batchPollMs: 10, jobSweepMs: 50 }

const database = await openDatabase({ dataDir })
const stores = await openStores(database, dataDir, limits)
const logger = pino({ level: 'silent' })
const disk = new DiskSpace({ directories: [], reserveBytes: 0 })
const access = await openAccessControl(
  { database, clock: systemClock, steady: systemClock, logger },
  { host: '127.0.0.1', version: '0' }
)
const fileService = new FileService({ ...stores, disk, clock: systemClock, logger }, limits)

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  // nothing of this process goes on meanwhile
  for (;;);
}

const endpoint: JobKind = {
  path: ENDPOINT,
  prepare: async body => {
    const { dies } = body as { dies?: 'prepared' | 'run' }
    if (dies === 'prepared') die()
    return {
      lane: 'model:x',
      request: body as object as never,
      streamed: false,
      outlivesClient: true,
      tokens: { prompt: 0, answerMax: 0 },
      data: dies
    }
  },
  check: () => {},
  run: async dies => {
    if (dies === 'run') die()
    return { result: { status: 200, headers: {}, body: { fine: true } }, usage: null }
  }
}
const lines = new JobKinds([endpoint])
const batchEndpoint = new BatchEndpoint(
  {
    ...stores,
    fileService,
    disk,
    admission: access.jobs,
    clock: systemClock,
    runtime: () => runtime,
    endpoint: path => lines.get(path)
  },
  limits
)
const runtime: JobRuntime = new JobRuntime(
  {
    store: stores.store,
    kinds: new JobKinds([endpoint, batchEndpoint]),
    places: { places: () => 4, mayClaim: () => true, onChange: () => () => {} },
    clock: systemClock,
    logger,
    admission: access.jobs
  },
  limits
)

async function begin(bodies: readonly object[]): Promise<void> {
  const text = bodies.map((body, at) => JSON.stringify({ custom_id: `line ${at + 1}`, url: ENDPOINT, body })).join('\n')
  async function* bytes() {
    yield new TextEncoder().encode(text)
  }
  const file = { namespace: 'default', filename: 'x', purpose: 'batch' }
  const { id: inputFileId } = await fileService.write('file-1', bytes(), file, {})
  const now = Date.now()
  const batch = {
    id: BATCH,
    namespace: 'default',
    keyId: null,
    jobId: JOB,
    endpoint: ENDPOINT,
    inputFileId,
    completionWindow: '24h',
    metadata: null,
    outputExpiresSeconds: null,
    subcloud: null,
    createdAtMs: now,
    expiresAtMs: now + 3_600_000
  }
  const options = { id: JOB, endpoint: BATCHES_PATH, namespace: 'default', keyId: null, detached: true, hidden: true }
  await runtime.submit(await batchEndpoint.prepare(batch), { ...options, class: 'batch', waitMs: 3_600_000 })
}

await runtime.start()
if (doing !== undefined) await begin(JSON.parse(doing))
const { state, error } = await runtime.untilEnd(JOB)
const { jobs } = await stores.store.list({ groupId: JOB, hidden: true, limit: 100, order: 'asc' })
process.stdout.write(
  JSON.stringify({
    state,
    error,
    batch: await stores.batches.find(BATCH),
    wrong: await stores.batches.lineErrors(BATCH, 0, 100),
    jobs: jobs.map(job => ({ customId: job.customId, state: job.state, code: job.error?.code ?? null }))
  })
)
await runtime[Symbol.asyncDispose]()
await access[Symbol.asyncDispose]()
await database[Symbol.asyncDispose]()
