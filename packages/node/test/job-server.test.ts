import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { createEngine } from '@resultity/engine'
import {
  EMBEDDINGS_ENDPOINT,
  type EmbeddingJob,
  type EmbeddingResult,
  fromEmbeddingResult,
  type ModelManifest,
  PICTURES_ENDPOINT,
  type PictureJob,
  readPictureResult,
  readTranscriptionResult,
  TRANSCRIPTIONS_ENDPOINT,
  type TranscriptionJob,
  toPcm,
  writePictureJob
} from '@resultity/interface'
import { createMeshHost, loadIdentity, type MeshHost } from '@resultity/mesh'
import { importModel, parseModelReference } from '@resultity/model'
import {
  FrameStream,
  JOB_FRAME_BYTES_MAX,
  JOB_PROTOCOL,
  type JobEvent,
  type JobRequest,
  jobRequestCodec
} from '@resultity/wire'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { JobServer } from '../src/job-server.ts'
import { StageTable } from '../src/stage-table.ts'

const encoder = join(import.meta.dirname, '../../../model/test/fixtures/tiny-encoder')
const speech = join(import.meta.dirname, '../../../whisper/test/fixtures/tiny-whisper')
const painter = join(import.meta.dirname, '../../../diffusion-model/test/fixtures/tiny-sd')
const PLACEMENT = 'placement-1'

const picture: PictureJob = {
  picture: 0,
  prompt: [[Array(77).fill(5)]],
  negative: [[Array(77).fill(6)]],
  width: 16,
  height: 16,
  steps: 2,
  scheduler: 'ddim',
  guidance: 2,
  guidanceRescale: 0,
  seed: '1',
  previews: []
}

interface Workplace {
  readonly server: JobServer
  readonly stages: StageTable
  readonly manifestSha256: string
  /** A further peer; `coordinator` is the one that assigned the encoder. */
  peer(): Promise<MeshHost>
  readonly coordinator: MeshHost
  request(changes?: Partial<JobRequest>): JobRequest
  /** Opens a job's stream, says nothing, and gathers what comes. */
  open(host: MeshHost): Promise<Call>
  /** The same, and sends the request. */
  call(host: MeshHost, request: JobRequest): Promise<Call>
}

interface Call {
  readonly frames: FrameStream<JobRequest, JobEvent>
  readonly events: readonly JobEvent[]
  readonly ended: Promise<void>
  readonly started: Promise<void>
}

/** A real encoder on a real host, its weights out of a real import. */
async function workplace(
  t: Test,
  { sessionsMax = 2, kind = encoder, requestTimeoutMs = 600_000 } = {}
): Promise<Workplace> {
  const directory = await mkdtemp(join(tmpdir(), 'resultity-jobs-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const peer = async (): Promise<MeshHost> => {
    const privateKey = await loadIdentity(await mkdtemp(join(directory, 'peer-')))
    const host = await createMeshHost({ privateKey, listen: ['/ip4/127.0.0.1/tcp/0'], agent: 'test/0.0.0' })
    t.teardown(() => host.close())
    return host
  }
  const store = await FileBlobStore.open(directory)
  t.teardown(() => store[Symbol.asyncDispose]())
  const { manifest, manifestSha256 } = await importModel(parseModelReference(`file:${kind}`), {
    dataDir: directory,
    store
  })
  const workDir = join(directory, 'work')
  await mkdir(workDir)
  const stages = new StageTable(
    { engine: await createEngine() },
    { memoryBytes: 2 ** 28, threads: 1, spinning: false, workDir, stagesMax: 4 }
  )
  t.teardown(() => stages.close())
  await assign(stages, store, { manifest, manifestSha256, sessionsMax })
  const [node, coordinator] = [await peer(), await peer()]
  const server = new JobServer(
    {
      host: node,
      stages,
      logger: pino({ level: 'silent' }),
      mayAsk: peerId => peerId === coordinator.peerId,
      mayUse: (peerId, placementId) => peerId === coordinator.peerId && placementId === PLACEMENT
    },
    { streamsPerPeerMax: 8, requestTimeoutMs }
  )
  await server.listen()
  const address = { peerId: node.peerId, multiaddrs: node.multiaddrs() }
  return {
    server,
    stages,
    manifestSha256,
    peer,
    coordinator,
    request: changes => ({
      jobId: 'job-1',
      attempt: 1,
      endpoint: EMBEDDINGS_ENDPOINT,
      model: manifest.name,
      manifestSha256,
      body: bodyOf([[2, 7, 3]]),
      deadlineMs: 600_000,
      ...changes
    }),
    open: host => open(host, address),
    call: async (host, request) => {
      const opened = await open(host, address)
      await opened.frames.send(request)
      return opened
    }
  }
}

async function assign(
  stages: StageTable,
  store: FileBlobStore,
  model: { manifest: ModelManifest; manifestSha256: string; sessionsMax: number }
): Promise<void> {
  const { manifest, manifestSha256, sessionsMax } = model
  const range = { first: 0, end: manifest.layers.length }
  const source = {
    hold: () => new DisposableStack(),
    manifest: async () => manifest,
    files: async (files: readonly { sha256: string }[]) =>
      new Map(await Promise.all(files.map(async ({ sha256 }) => [sha256, (await store.find(sha256)) ?? ''] as const)))
  }
  const assignment = { placementId: PLACEMENT, manifestSha256, range, contextLength: 40, sessionsMax }
  await stages.assign(assignment, source, () => {})
}

async function open(host: MeshHost, address: { peerId: string; multiaddrs: string[] }): Promise<Call> {
  const events: JobEvent[] = []
  const ended = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const frames = new FrameStream<JobRequest, JobEvent>(
    await host.open(address, JOB_PROTOCOL),
    jobRequestCodec,
    {
      onFrame: event => {
        events.push(event.type === 'result' ? { ...event, result: event.result.slice() } : event)
        started.resolve()
      },
      onEnd: () => {
        ended.resolve()
        started.resolve()
      }
    },
    { frameBytesMax: JOB_FRAME_BYTES_MAX }
  )
  return { frames, events, ended: ended.promise, started: started.promise }
}

const bodyOf = (inputs: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify({ inputs }))
/** Work for some seconds, so that a job is surely under way. */
const longInputs: EmbeddingJob['inputs'] = Array.from({ length: 256 }, () => Array(40).fill(7))

t.test('a job of its coordinator is begun, run and answered', async t => {
  const { coordinator, call, request, server } = await workplace(t)
  const { events, ended } = await call(
    coordinator,
    request({
      body: bodyOf([
        [2, 7, 3],
        [2, 8, 9, 3]
      ])
    })
  )
  await ended
  t.same(
    events.map(({ type, sequence }) => [type, sequence]),
    [
      ['started', 0],
      ['result', 1]
    ]
  )
  const [, last] = events
  const result: EmbeddingResult = JSON.parse(
    new TextDecoder().decode(last?.type === 'result' ? last.result : new Uint8Array())
  )
  t.equal(result.dimensions, 32)
  const vectors = fromEmbeddingResult(result, 2)
  t.ok(Math.abs(Math.hypot(...(vectors?.subarray(32) ?? [])) - 1) < 1e-5)
  t.equal(server.jobsOpen, 0)
})

t.test('what it may not or cannot run is refused, and it serves on', async t => {
  const { coordinator, peer, call, request } = await workplace(t)
  const stranger = await peer()
  const cases: Record<string, [MeshHost, Partial<JobRequest>, string]> = {
    'a peer that assigned nothing': [stranger, {}, 'peer_refused'],
    'another endpoint': [coordinator, { endpoint: '/v1/moderations' }, 'not_implemented'],
    'a model it does not serve': [coordinator, { manifestSha256: 'a'.repeat(64) }, 'unavailable'],
    'no JSON': [coordinator, { body: Uint8Array.of(0xff) }, 'protocol_violation'],
    'no inputs': [coordinator, { body: bodyOf([]) }, 'protocol_violation'],
    'an empty input': [coordinator, { body: bodyOf([[]]) }, 'protocol_violation'],
    'too many inputs': [coordinator, { body: bodyOf(Array(257).fill([1])) }, 'protocol_violation'],
    text: [coordinator, { body: bodyOf(['a']) }, 'protocol_violation'],
    'an input that is too long': [coordinator, { body: bodyOf([Array(41).fill(1)]) }, 'invalid_request'],
    'a token that is not there': [coordinator, { body: bodyOf([[99_999]]) }, 'invalid_request']
  }
  for (const [name, [host, changes, code]] of Object.entries(cases)) {
    const { events, ended } = await call(host, request(changes))
    await ended
    const last = events.at(-1)
    t.match(last, { type: 'error', error: { code } }, name)
  }
  const { events, ended } = await call(coordinator, request())
  await ended
  t.equal(events.at(-1)?.type, 'result')
})

t.test('a speech model takes pieces of sound, and an encoder does not', async t => {
  const { coordinator, call, request } = await workplace(t, { kind: speech })
  const job: TranscriptionJob = {
    pcm: toPcm(Float32Array.from({ length: 16_000 }, (_, index) => Math.sin(index / 9) / 4)),
    task: 'transcribe',
    prompt: [5],
    temperatures: [0, 1],
    words: true,
    seed: 7
  }
  const bodyOfJob = (changes: object): Uint8Array => new TextEncoder().encode(JSON.stringify({ ...job, ...changes }))
  const hear = (changes: object = {}) => request({ endpoint: TRANSCRIPTIONS_ENDPOINT, body: bodyOfJob(changes) })
  const results: (string | undefined)[] = []
  for (let time = 0; time < 2; time++) {
    const { events, ended } = await call(coordinator, hear())
    await ended
    const last = events.at(-1)
    if (last?.type !== 'result') throw new Error(JSON.stringify(last))
    t.ok(readTranscriptionResult(last.result), 'its result is one')
    results.push(new TextDecoder().decode(last.result))
  }
  t.equal(results[0], results[1], 'the same seed gives the same text')
  const cases: Record<string, [Partial<JobRequest>, string]> = {
    'half a sample': [hear({ pcm: 'QUJD' }), 'protocol_violation'],
    'no sound': [hear({ pcm: '' }), 'protocol_violation'],
    'a language that it does not know': [hear({ language: 'xx' }), 'invalid_request'],
    texts: [{ body: bodyOf([[2, 7, 3]]) }, 'invalid_request']
  }
  for (const [name, [changes, code]] of Object.entries(cases)) {
    const { events, ended } = await call(coordinator, request(changes))
    await ended
    t.match(events.at(-1), { type: 'error', error: { code } }, name)
  }
})

t.test('a picture is told step by step, and a model of another kind draws none', async t => {
  const { coordinator, call, request } = await workplace(t, { kind: painter })
  const body = (change: Partial<PictureJob> = {}) => writePictureJob({ ...picture, ...change })
  const draw = (change?: Partial<PictureJob>) => request({ endpoint: PICTURES_ENDPOINT, body: body(change) })
  const { events, ended } = await call(coordinator, draw())
  await ended
  t.strictSame(
    events.map(({ type, sequence }) => [type, sequence]),
    [
      ['started', 0],
      ['chunk', 1],
      ['chunk', 2],
      ['result', 3]
    ]
  )
  const last = events.at(-1)
  t.ok(last?.type === 'result' && readPictureResult(last.result, picture))
  const cases: Record<string, [Partial<JobRequest>, string]> = {
    'no job': [{ ...draw(), body: new TextEncoder().encode('{}') }, 'protocol_violation'],
    'too many steps': [draw({ steps: 1001 }), 'protocol_violation'],
    'tokens that it lacks': [draw({ prompt: [[Array(77).fill(4_000_000)]] }), 'invalid_request'],
    texts: [{ body: bodyOf([[2, 7, 3]]) }, 'invalid_request']
  }
  for (const [name, [changes, code]] of Object.entries(cases)) {
    const { events, ended } = await call(coordinator, request(changes))
    await ended
    t.match(events.at(-1), { type: 'error', error: { code } }, name)
  }
  const long = await call(coordinator, draw({ steps: 1000 }))
  await long.started
  long.frames.abort(new Error('enough'))
  const encoders = await workplace(t)
  const wrong = await encoders.call(
    encoders.coordinator,
    encoders.request({ endpoint: PICTURES_ENDPOINT, body: body() })
  )
  await wrong.ended
  t.match(wrong.events.at(-1), { type: 'error', error: { code: 'invalid_request', message: /draws no pictures/ } })
})

t.test('a silent stream is ended, and told why', async t => {
  const { coordinator, open } = await workplace(t, { requestTimeoutMs: 50 })
  const { events, ended } = await open(coordinator)
  await ended
  t.match(events, [{ type: 'error', error: { code: 'deadline_exceeded', message: /no request came within 50 ms/ } }])
})

t.test('a second request ends its stream', async t => {
  const { coordinator, call, request, stages } = await workplace(t)
  const twice = await call(coordinator, request({ body: bodyOf(longInputs) }))
  await twice.started
  await twice.frames.send(request())
  await twice.ended
  t.notOk(twice.events.some(({ type }) => type === 'result'))
  await untilFree(stages)
})

t.test('jobs at once are limited, and a stream that ends frees its place', async t => {
  const { coordinator, call, request, stages } = await workplace(t, { sessionsMax: 1 })
  const long = await call(coordinator, request({ body: bodyOf(longInputs) }))
  await long.started
  const refused = await call(coordinator, request())
  await refused.ended
  t.match(refused.events, [{ type: 'error', error: { code: 'resource_exhausted' } }])
  t.equal(stages.served()[0]?.sessionsOpen, 1)
  long.frames.abort(new Error('enough'))
  await untilFree(stages)
  const next = await call(coordinator, request())
  await next.ended
  t.equal(next.events.at(-1)?.type, 'result')
})

t.test('a deadline, a release and a shutdown end what is at work', async t => {
  const { coordinator, call, request, server, stages } = await workplace(t)
  const late = await call(coordinator, request({ body: bodyOf(longInputs), deadlineMs: 1 }))
  await late.ended
  t.match(late.events.at(-1), { type: 'error', sequence: 1, error: { code: 'deadline_exceeded' } })

  const long = await call(coordinator, request({ body: bodyOf(longInputs) }))
  await long.started
  server.endPlacement('another', 'not this one')
  server.endPlacement(PLACEMENT, 'its memory is needed')
  await long.ended
  t.match(long.events.at(-1), { type: 'error', error: { code: 'unavailable', message: /memory is needed/ } })

  const last = await call(coordinator, request({ body: bodyOf(longInputs) }))
  await last.started
  await server.close()
  await last.ended
  t.match(last.events.at(-1), { type: 'error', error: { code: 'unavailable' } })
  await stages.release(PLACEMENT)
  t.equal(stages.memoryFreeBytes, 2 ** 28)
})

t.test('an encoder is served whole or not at all, within the memory that is offered', async t => {
  const { stages, manifestSha256 } = await workplace(t)
  const directory = await mkdtemp(join(tmpdir(), 'resultity-jobs-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const store = await FileBlobStore.open(directory)
  t.teardown(() => store[Symbol.asyncDispose]())
  const { manifest } = await importModel(parseModelReference(`file:${encoder}`), { dataDir: directory, store })
  const source = {
    hold: () => new DisposableStack(),
    manifest: async () => manifest,
    files: async () => new Map<string, string>()
  }
  const half = { placementId: 'half', manifestSha256, range: { first: 0, end: 1 }, contextLength: 40, sessionsMax: 1 }
  await t.rejects(
    stages.assign(half, source, () => {}),
    { code: 'invalid_request', message: /served whole/ }
  )
  const small = new StageTable(
    { engine: await createEngine() },
    { memoryBytes: 1000, threads: 1, spinning: false, workDir: directory, stagesMax: 4 }
  )
  const whole = { ...half, range: { first: 0, end: 2 } }
  await t.rejects(
    small.assign(whole, source, () => {}),
    { code: 'insufficient_memory' }
  )
  t.throws(() => stages.find(PLACEMENT), { code: 'session_unknown' }, 'no stage of a route')
})

async function untilFree(stages: StageTable): Promise<void> {
  while ((stages.served()[0]?.sessionsOpen ?? 0) > 0) await new Promise(resolve => setImmediate(resolve))
}
