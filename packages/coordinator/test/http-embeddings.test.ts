import { join } from 'node:path'
import { type EmbeddingJob, MeshError, toEmbeddingResult } from '@resultity/interface'
import { openAiErrors } from '@resultity/test-api'
import type { ScriptedJob } from '@resultity/test-nodes'
import type { JobEvent } from '@resultity/wire'
import t, { type Test } from 'tap'
import type { CoordinatorInit } from '../src/index.ts'
import { answering, bodyOf, type JobMesh, type JobScript, startJobMesh } from './support/job-mesh.ts'

const encoder = `file:${join(import.meta.dirname, '../../../model/test/fixtures/tiny-encoder')}`
const DIMENSIONS = 32

interface Mesh extends JobMesh {
  post(body: unknown, options?: RequestInit): Promise<Response>
}

const inputsOf = (job: ScriptedJob): EmbeddingJob['inputs'] => bodyOf<EmbeddingJob>(job).inputs

/** The vector of an input that begins with token x is x, 1, 0, 0 … */
const answer = answering(job => {
  const inputs = inputsOf(job)
  const vectors = new Float32Array(inputs.length * DIMENSIONS)
  for (const [index, input] of inputs.entries()) vectors.set([input[1] ?? 0, 1], index * DIMENSIONS)
  return toEmbeddingResult(vectors, DIMENSIONS)
})

async function startMesh(t: Test, nodeCount: number, init: Partial<CoordinatorInit> = {}): Promise<Mesh> {
  const mesh = await startJobMesh(t, nodeCount, answer, { models: [encoder], ...init })
  return Object.assign(mesh, {
    post: (body: unknown, options: RequestInit = {}) =>
      fetch(`${mesh.url}/v1/embeddings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        ...options
      })
  })
}

const MODEL = 'tiny-encoder'

/** Of one node that outlives every test that uses it. */
const shared = await startMesh(t, 1, { models: [encoder, 'tiny-chat'] })
t.beforeEach(() => shared.reset())

t.test('answers are as OpenAI publishes them, in both encodings', async t => {
  const mesh = shared
  const response = await mesh.post({ model: MODEL, input: [[7], [9, 8]], encoding_format: 'float' })
  t.equal(response.status, 200)
  const body = await response.json()
  t.same(openAiErrors('CreateEmbeddingResponse', body), [])
  t.match(body, {
    object: 'list',
    model: MODEL,
    data: [
      { object: 'embedding', index: 0 },
      { object: 'embedding', index: 1 }
    ],
    usage: { prompt_tokens: 7, total_tokens: 7 }
  })
  t.same(body.data[1].embedding.slice(0, 3), [9, 1, 0])
  t.equal(response.headers.get('x-resultity-route'), `${mesh.nodes[0]?.peerId}[0,2)`)
  t.same(inputsOf(mesh.jobs[0] as ScriptedJob), [
    [2, 7, 3],
    [2, 9, 8, 3]
  ])

  const packed = await (await mesh.post({ model: MODEL, input: [3], encoding_format: 'base64' })).json()
  const bytes = Buffer.from(packed.data[0].embedding, 'base64')
  t.equal(bytes.length, 4 * DIMENSIONS)
  t.same([bytes.readFloatLE(0), bytes.readFloatLE(4)], [3, 1], 'f32, little endian')
  const short = await (await mesh.post({ model: MODEL, input: [3], dimensions: 2 })).json()
  t.same(
    short.data[0].embedding.map((value: number) => value.toFixed(5)),
    ['0.94868', '0.31623'],
    'of length 1 again'
  )
})

t.test('what is wrong with a request is said, naming the field, before any node hears of it', async t => {
  const mesh = shared
  const long = 'the '.repeat(39)
  const cases: Record<string, [object, number, string | null, RegExp?]> = {
    'no input': [{}, 400, 'input'],
    'a number': [{ input: 1 }, 400, 'input'],
    'an empty text': [{ input: '' }, 400, 'input', /empty text/],
    'an empty list': [{ input: [] }, 400, 'input'],
    'an empty text in a list': [{ input: ['a', ''] }, 400, 'input[1]', /empty text/],
    'an empty list in a list': [{ input: [[1], []] }, 400, 'input'],
    'a mixed list': [{ input: ['a', 1] }, 400, 'input'],
    'a negative token': [{ input: [-1] }, 400, 'input'],
    'half a token': [{ input: [0.5] }, 400, 'input'],
    'too many inputs': [{ input: Array(2049).fill('a') }, 400, 'input'],
    'a token that is not there': [{ input: [[1], [9_999_999]] }, 400, 'input[1]', /vocabulary.*LangChain/],
    'a text that is too long': [{ input: ['a', 'b', long] }, 400, 'input[2]', /41 tokens/],
    'a text far too long': [{ input: 'a'.repeat(100_000) }, 400, 'input', /uncounted/],
    'too many tokens': [{ input: Array(39).fill(7) }, 400, 'input', /41 tokens/],
    'too many dimensions': [{ input: 'a', dimensions: 33 }, 400, 'dimensions', /at most 32/],
    'no dimensions': [{ input: 'a', dimensions: 0 }, 400, 'dimensions'],
    'a truncation to nothing': [{ input: 'a', truncate_prompt_tokens: 2 }, 400, 'truncate_prompt_tokens', /3 to 40/],
    'a truncation to too much': [{ input: 'a', truncate_prompt_tokens: 41 }, 400, 'truncate_prompt_tokens', /3 to 40/],
    'a truncation below all': [{ input: 'a', truncate_prompt_tokens: -2 }, 400, 'truncate_prompt_tokens'],
    'an empty text, to be cut off': [{ input: ['a', ''], truncate_prompt_tokens: -1 }, 400, 'input[1]', /empty text/],
    'a token that is not there, cut off': [
      { input: [[...Array(50).fill(7), 9_999_999]], truncate_prompt_tokens: -1 },
      400,
      'input[0]',
      /vocabulary/
    ],
    'another format': [{ input: 'a', encoding_format: 'hex' }, 400, 'encoding_format'],
    'a model that is not served': [{ input: 'a', model: 'gpt-5' }, 404, 'model'],
    'a model that generates text': [{ input: 'a', model: 'tiny-chat' }, 400, 'model', /"tiny-encoder"/]
  }
  for (const [name, [fields, status, param, message = /./]] of Object.entries(cases)) {
    const response = await mesh.post({ model: MODEL, ...fields })
    const body = await response.json()
    t.equal(response.status, status, name)
    t.match(body, { error: { param, message, type: 'invalid_request_error' } }, name)
    t.same(openAiErrors('ErrorResponse', body), [], name)
  }
  t.equal(mesh.jobs.length, 0)
})

t.test('what is too long is cut off where the client says so, and counts with what is read', async t => {
  const mesh = shared
  const the = (count: number): string => 'the '.repeat(count)
  for (const [input, most, lengths] of [
    [['the', the(39), the(100_000)], -1, [3, 40, 40]],
    [['the', the(39)], 5, [3, 5]],
    [[Array(39).fill(7), [7]], -1, [40, 3]],
    [Array(39).fill(7), 40, [40]]
  ] as const) {
    mesh.reset()
    const response = await mesh.post({ model: MODEL, input, truncate_prompt_tokens: most })
    const { usage, error } = await response.json()
    t.equal(response.status, 200, JSON.stringify(error))
    const inputs = mesh.jobs.flatMap(inputsOf)
    t.same(
      inputs.map(tokens => tokens.length),
      lengths
    )
    t.ok(
      inputs.every(tokens => tokens[0] === 2 && tokens.at(-1) === 3),
      'both tokens that frame an input stay'
    )
    t.equal(
      usage.prompt_tokens,
      lengths.reduce((sum, length) => sum + length, 0)
    )
  }
})

t.test('a request may name the nodes that it runs on', async t => {
  const mesh = await startMesh(t, 2)
  for (const { peerId } of mesh.nodes) {
    const response = await mesh.post({ model: MODEL, input: [[7]], mesh: { nodes: [peerId] } })
    t.equal(response.headers.get('x-resultity-route'), `${peerId}[0,2)`, await response.text())
  }
  for (const [steering, status] of [
    [{ region: 'mars' }, 503],
    [{ subcloud: 'none' }, 404],
    [{ stages: 2 }, 400]
  ] as const) {
    t.equal((await mesh.post({ model: MODEL, input: [[7]], mesh: steering })).status, status)
  }
})

t.test('a large request is several jobs, one after the other', async t => {
  const mesh = shared
  const input = Array.from({ length: 600 }, (_, index) => [5 + (index % 200)])
  const body = await (await mesh.post({ model: MODEL, input })).json()
  t.same(
    mesh.jobs.map(job => inputsOf(job).length),
    [256, 256, 88]
  )
  t.ok(
    body.data.every(
      ({ embedding, index }: { embedding: number[]; index: number }) => embedding[0] === input[index]?.[0]
    )
  )
})

t.test('a node that dies, stops or forgets the model costs the client nothing while another is there', async t => {
  const lost: Record<string, JobScript> = {
    'before it began': job => job.node.kill(),
    'after it began': async job => {
      await job.send({ type: 'started', sequence: 0 })
      await job.node.kill()
    },
    'with a word': async job => {
      await job.send({ type: 'error', sequence: 0, error: new MeshError('unavailable', 'the node is shutting down') })
      await job.node.kill()
    }
  }
  for (const [name, lose] of Object.entries(lost)) {
    const mesh = await startMesh(t, 2, { limits: { lossNoticeMs: 600_000 } })
    mesh.script = job => {
      mesh.script = answer
      return lose(job)
    }
    const response = await mesh.post({ model: MODEL, input: [4] })
    t.equal(response.status, 200, name)
    t.same(
      mesh.jobs.map(({ request }) => request.attempt),
      [1, 2],
      name
    )
  }
})

t.test('what a node does wrong is an error and not an answer', async t => {
  const started: JobEvent = { type: 'started', sequence: 0 }
  const resultWith = (text: string): JobEvent => ({
    type: 'result',
    sequence: 1,
    result: new TextEncoder().encode(text)
  })
  const infinite = toEmbeddingResult(new Float32Array(DIMENSIONS).fill(Number.POSITIVE_INFINITY), DIMENSIONS)
  const engineFailed = new MeshError('engine_failed', 'it broke')
  const cases: Record<string, [JobEvent[], number, string]> = {
    'its own error': [[started, { type: 'error', sequence: 1, error: engineFailed }], 500, 'engine_failed'],
    'a result out of the blue': [[{ ...resultWith('{}'), sequence: 0 }], 502, 'protocol_violation'],
    'a gap': [[started, { ...resultWith('{}'), sequence: 2 }], 502, 'protocol_violation'],
    'a second start': [[started, { type: 'started', sequence: 1 }], 502, 'protocol_violation'],
    'a chunk': [[started, { type: 'chunk', sequence: 1, chunk: Uint8Array.of(1) }], 502, 'protocol_violation'],
    'no JSON': [[started, resultWith('{')], 502, 'protocol_violation'],
    'another model’s vectors': [
      [started, resultWith('{"dimensions":2,"vectors":"AAAAAAAAAAA="}')],
      502,
      'protocol_violation'
    ],
    'too few vectors': [[started, resultWith('{"dimensions":32,"vectors":"AAAA"}')], 502, 'protocol_violation'],
    'no numbers': [[started, resultWith(JSON.stringify(infinite))], 502, 'protocol_violation']
  }
  const mesh = shared
  for (const [name, [events, status, code]] of Object.entries(cases)) {
    mesh.script = async job => {
      for (const event of events) await job.send(event).catch(() => {})
    }
    const response = await mesh.post({ model: MODEL, input: [4] })
    t.equal(response.status, status, name)
    t.match(await response.json(), { error: { code } }, name)
  }
  mesh.script = answer
  t.equal((await mesh.post({ model: MODEL, input: [4] })).status, 200, 'and it serves on')
})

t.test('a node that says nothing is not waited for longer than its deadline', async t => {
  const mesh = await startMesh(t, 1, { limits: { jobStartMs: 200, jobRunMs: 100, jobGraceMs: 100 } })
  mesh.script = () => {}
  const silent = await mesh.post({ model: MODEL, input: [4] })
  t.match(
    [silent.status, await silent.json()],
    [504, { error: { code: 'deadline_exceeded', message: /start of a job/ } }]
  )
  mesh.script = job => job.send({ type: 'started', sequence: 0 })
  const stuck = await mesh.post({ model: MODEL, input: [4] })
  t.match([stuck.status, await stuck.json()], [504, { error: { code: 'deadline_exceeded' } }])
  await Promise.all(mesh.jobs.map(({ ended }) => ended))
  t.equal(mesh.jobs[1]?.request.deadlineMs, 100, 'the node knows it too')
})

t.test('a client that hangs up ends its job', async t => {
  const mesh = shared
  const begun = Promise.withResolvers<void>()
  mesh.script = async job => {
    await job.send({ type: 'started', sequence: 0 })
    begun.resolve()
  }
  const controller = new AbortController()
  const request = mesh.post({ model: MODEL, input: [4] }, { signal: controller.signal })
  await begun.promise
  controller.abort()
  await t.rejects(request)
  await mesh.jobs[0]?.ended
})

t.test('an operator has inputs cut off that are too long, unless a request says how long they may be', async t => {
  const mesh = await startMesh(t, 1, { truncateInputs: true })
  const input = Array(50).fill(7)
  t.match(await (await mesh.post({ model: MODEL, input })).json(), { usage: { prompt_tokens: 40 } })
  const shorter = await mesh.post({ model: MODEL, input, truncate_prompt_tokens: 10 })
  t.match(await shorter.json(), { usage: { prompt_tokens: 10 } })
  const wrong = await mesh.post({ model: MODEL, input: [...input, 9_999_999] })
  t.match(await wrong.json(), { error: { param: 'input', message: /vocabulary/ } }, 'what is cut off is checked too')
})
