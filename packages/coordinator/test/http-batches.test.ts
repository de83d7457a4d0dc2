import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import OpenAI, { toFile } from 'openai'
import t, { type Test } from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const limits = {
  batchPollMs: 20,
  batchLinesMax: 500,
  batchLineBytesMax: 4096,
  fileBytesMax: 5_000_000,
  inlineBatchMax: 20
}
const mesh = await startScriptedMesh(2, { contextLength: 256, limits })
t.teardown(() => mesh[Symbol.asyncDispose]())
const url = mesh.coordinator.httpUrl
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
const [endToken = 0] = mesh.tokenizer.endTokenIds
const answer = (text: string) => [...mesh.tokenizer.encode(text), endToken]
const says =
  (text: string) =>
  ({ sample }: Ring) =>
    sample(answer(text), 'end_token')
mesh.ring.script = says('Paris.')

const line = (custom_id: string, body: object = {}, rest: object = {}) =>
  JSON.stringify({ custom_id, method: 'POST', url: CHAT, body: { ...QUESTION, ...body }, ...rest })

async function upload(text: string | Buffer, name = 'input.jsonl') {
  return await client.files.create({ file: await toFile(Buffer.from(text), name), purpose: 'batch' })
}

async function begin(lines: readonly string[], fields: object = {}) {
  const file = await upload(lines.join('\n'))
  return await client.batches.create({
    input_file_id: file.id,
    endpoint: CHAT,
    completion_window: '24h',
    ...fields
  })
}

/** Waits for the end of a batch: its job's log ends with it. */
async function until(t: Test, id: string, status: string) {
  await (await fetch(`${url}/v1/requests/${id.replace('batch_', 'req_')}/events`)).text()
  const batch = await client.batches.retrieve(id)
  t.equal(batch.status, status)
  return batch
}

interface OutputLine {
  readonly id: string
  readonly custom_id: string | null
  readonly line?: number
  readonly response: { readonly status_code: number; readonly body: { readonly choices: readonly unknown[] } } | null
  readonly error: { readonly code: string; readonly message: string } | null
}

async function linesOf(fileId: string | undefined): Promise<OutputLine[]> {
  if (fileId === undefined) return []
  const text = await (await client.files.content(fileId)).text()
  return Array.from(text.trimEnd().split('\n'), one => JSON.parse(one))
}

t.test('a file is kept as it was sent, under whatever name', async t => {
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256))
  const names = [
    'a.jsonl',
    '../../etc/passwd',
    'c:\\x\\y',
    'ünï "quoted"\u2028.jsonl',
    '.',
    '%2e%2e%2f',
    'a'.repeat(2000)
  ]
  for (const name of names) {
    const file = await upload(bytes, name)
    t.same(openAiErrors('OpenAIFile', file), [])
    t.match(file, {
      object: 'file',
      bytes: bytes.length,
      purpose: 'batch',
      status: 'processed',
      id: /^file-[0-9a-f]{32}$/
    })
    t.match(await client.files.retrieve(file.id), { id: file.id, filename: file.filename })
    const content = await client.files.content(file.id)
    t.ok(bytes.equals(Buffer.from(await content.arrayBuffer())), encodeURIComponent(name.slice(0, 20)))
    t.match(content.headers.get('content-disposition'), /^attachment/)
    t.match(await client.files.delete(file.id), { id: file.id, deleted: true })
    await t.rejects(client.files.retrieve(file.id), { message: /^404/ })
    await t.rejects(client.files.content(file.id), { message: /^404/ })
  }
})

type Part = readonly [name: string, value: string | Blob]

/** A form part by part, in an order that no client helps with. */
async function form(parts: readonly Part[]) {
  const body = new FormData()
  for (const [name, value] of parts) {
    if (typeof value === 'string') body.append(name, value)
    else body.append(name, value, 'input.jsonl')
  }
  const response = await fetch(`${url}/v1/files`, { method: 'POST', body })
  return { status: response.status, body: await response.json() }
}

const blob = (bytes: number): Blob => new Blob([Buffer.alloc(bytes, 'x')])

t.test('the parts of a form may come in any order', async t => {
  const after: Part[] = [
    ['expires_after[anchor]', 'created_at'],
    ['expires_after[seconds]', '3600']
  ]
  const parts: Part[] = [['file', blob(3)], ['purpose', 'batch'], ...after]
  for (const ordered of [parts, parts.toReversed()]) {
    const { status, body } = await form(ordered)
    t.equal(status, 200)
    t.equal(body.expires_at - body.created_at, 3600)
  }
})

const forBatch: Part = ['purpose', 'batch']

const wrongForms: Record<string, { parts: Part[]; status?: number; param?: string | null; message?: string }> = {
  'no file': { parts: [forBatch], param: 'file' },
  'no purpose': { parts: [['file', blob(3)]], param: 'purpose' },
  'an unknown purpose': {
    parts: [
      ['file', blob(3)],
      ['purpose', 'fun']
    ],
    param: 'purpose'
  },
  'a file under another name': { parts: [['data', blob(3)], forBatch], param: 'data' },
  'a file too large': {
    parts: [['file', blob(5_000_001)], forBatch],
    status: 413,
    param: 'file',
    message: 'the file is larger than 5000000 bytes. Split it into several files.'
  },
  'two files': {
    parts: [['file', blob(3)], ['file', blob(3)], forBatch],
    status: 413,
    param: 'file',
    message: 'the form has more than one file. Send each file in a request of its own.'
  },
  'a field too many': {
    parts: Array.from({ length: 20 }, (_, at) => [`f${at}`, 'x']),
    status: 413,
    param: null,
    message: 'the form has more than 16 fields. Leave out fields that the endpoint does not know.'
  },
  'a field too long': {
    parts: [
      ['file', blob(3)],
      ['purpose', 'x'.repeat(4097)]
    ],
    status: 413,
    param: 'purpose',
    message: 'the field "purpose" is longer than 4096 bytes. Send a shorter one.'
  },
  'an expiry too soon': {
    parts: [['file', blob(3)], forBatch, ['expires_after[seconds]', '3']],
    param: 'expires_after[seconds]'
  }
}
for (const [id, { parts, status = 400, param, message }] of Object.entries(wrongForms)) {
  t.test(`a form is refused: ${id}`, async t => {
    const answered = await form(parts)
    t.equal(answered.status, status, JSON.stringify(answered.body))
    if (param !== undefined) t.equal(answered.body.error.param, param)
    if (message !== undefined) t.equal(answered.body.error.message, message)
  })
}

t.test('a body that is no form, or a broken one, is refused', async t => {
  const bodies = [
    { body: '{}', type: 'application/json' },
    { body: '', type: 'multipart/form-data; boundary=x' },
    { body: 'garbage', type: 'multipart/form-data; boundary=x' },
    {
      body: '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
      type: 'multipart/form-data; boundary=x'
    },
    { body: 'x', type: 'multipart/form-data' }
  ]
  for (const { body, type } of bodies) {
    const response = await fetch(`${url}/v1/files`, { method: 'POST', body, headers: { 'content-type': type } })
    t.equal(response.status, 400, `${type}: ${body.slice(0, 10)}`)
    t.match(await response.json(), { error: { type: 'invalid_request_error', message: String } })
  }
})

t.test('files are listed page by page', async t => {
  const ids: string[] = []
  for (const name of ['1', '2', '3', '4', '5']) ids.unshift((await upload('x', name)).id)
  const seen: string[] = []
  for await (const file of client.files.list({ limit: 2, purpose: 'batch' })) {
    if (ids.includes(file.id)) seen.push(file.id)
  }
  t.same(seen, ids, 'the newest first')
  const raw = await (await fetch(`${url}/v1/files?limit=2&order=asc&after=${ids[4]}`)).json()
  t.same(openAiErrors('ListFilesResponse', raw), [])
  t.same([raw.first_id, raw.last_id], [ids[3], ids[2]])
  t.equal((await fetch(`${url}/v1/files?after=file-garbage`)).status, 404)
  t.equal((await fetch(`${url}/v1/files?limit=0`)).status, 400)
})

t.test('a batch answers every line by its custom_id', async t => {
  const lines = Array.from({ length: 210 }, (_, index) => line(`line-${index}`, { max_tokens: 5 }))
  const batch = await begin(lines, { metadata: { team: 'a' } })
  t.match(batch, { object: 'batch', status: 'validating', metadata: { team: 'a' }, endpoint: CHAT })
  const done = await until(t, batch.id, 'completed')
  t.match(done, {
    request_counts: { total: 210, completed: 210, failed: 0 },
    in_progress_at: Number,
    finalizing_at: Number,
    completed_at: Number
  })
  t.notOk('error_file_id' in done)
  const output = await linesOf(done.output_file_id)
  t.same(
    output.map(one => one.custom_id),
    lines.map((_, index) => `line-${index}`)
  )
  t.equal(new Set(output.map(one => one.id)).size, 210)
  for (const { response, error } of output) {
    t.equal(error, null)
    t.equal(response?.status_code, 200)
    t.same(openAiErrors('CreateChatCompletionResponse', response?.body), [])
  }
  t.match(await client.files.retrieve(String(done.output_file_id)), { purpose: 'batch_output' })
  const listed = await (await fetch(`${url}/v1/requests?limit=100`)).json()
  t.notOk(
    listed.data.some((one: { class: string }) => one.class === 'batch'),
    'its lines are not listed as requests'
  )
  const list = await client.batches.list({ limit: 1 })
  t.equal(list.data[0]?.id, batch.id)
})

t.test('bad lines fail by themselves, and the batch goes on', async t => {
  const lines = [
    line('good-1'),
    '{"custom_id": "broken',
    '',
    '[]',
    line('good-1'),
    line('no-model', { model: 'nobody' }),
    line('bad-body', { messages: [] }),
    line('streamed', { stream: true }),
    line('wrong-url', {}, { url: '/v1/embeddings' }),
    line('wrong-method', {}, { method: 'GET' }),
    line('x'.repeat(600)),
    line('too-long', { messages: [{ role: 'user', content: 'x'.repeat(5000) }] }),
    JSON.stringify({ custom_id: 'deep', body: JSON.parse('['.repeat(200) + ']'.repeat(200)) }),
    line('good-2', { models: ['tiny-chat', 'tiny-chat'], strategy: 'vote' })
  ]
  const bytes = Buffer.concat([
    Buffer.from(lines.join('\n')),
    Buffer.from('\n"\xff\xfe"\n', 'latin1'),
    Buffer.from(line('good-3'))
  ])
  const file = await upload(bytes)
  const batch = await client.batches.create({ input_file_id: file.id, endpoint: CHAT, completion_window: '24h' })
  const done = await until(t, batch.id, 'completed')
  t.same(done.request_counts, { total: 15, completed: 3, failed: 12 })
  const output = await linesOf(done.output_file_id)
  t.same(
    output.map(one => one.custom_id),
    ['good-1', 'good-2', 'good-3']
  )
  const errors = await linesOf(done.error_file_id)
  t.same(
    errors.map(one => [one.custom_id, one.line, one.error?.code]),
    [
      [null, 2, 'invalid_request'],
      [null, 4, 'invalid_request'],
      ['good-1', 5, 'invalid_request'],
      ['no-model', 6, 'model_not_found'],
      ['bad-body', 7, 'invalid_request'],
      ['streamed', 8, 'invalid_request'],
      ['wrong-url', 9, 'invalid_request'],
      ['wrong-method', 10, 'invalid_request'],
      [null, 11, 'invalid_request'],
      [null, 12, 'invalid_request'],
      ['deep', 13, 'invalid_request'],
      [null, 15, 'invalid_request']
    ]
  )
  t.ok(errors.every(one => one.response === null))
  t.match(errors[0]?.error?.message, /^line 2 is not JSON/)
})

t.test('what is no batch at all has failed', async t => {
  const empty = await begin(['', '  ', ''])
  t.match(await until(t, empty.id, 'failed'), { errors: { data: [{ code: 'empty_file' }] }, failed_at: Number })
  const long = await begin(Array.from({ length: 501 }, (_, index) => line(`${index}`)))
  t.match(await until(t, long.id, 'failed'), { errors: { data: [{ code: 'too_many_tasks', line: 501 }] } })
})

t.test('a cancelled batch keeps what was answered, and says which were not', async t => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  let asked = 0
  mesh.ring.script = async ring => {
    // a few are answered; the others hang until their session is ended
    if (++asked > 4) await Promise.race([held, ring.stages[0]?.ended])
    else await ring.sample(answer('Paris.'), 'end_token')
  }
  const batch = await begin(Array.from({ length: 30 }, (_, index) => line(`${index}`)))
  for (;;) {
    const { request_counts: counts } = await client.batches.retrieve(batch.id)
    if (counts?.completed === 4) break
  }
  const cancelling = await client.batches.cancel(batch.id)
  t.match(cancelling, { status: /cancelling|cancelled/, cancelling_at: Number })
  const done = await until(t, batch.id, 'cancelled')
  release()
  mesh.ring.script = says('Paris.')
  t.same(done.request_counts, { total: 30, completed: 4, failed: 26 })
  t.equal((await linesOf(done.output_file_id)).length, 4)
  const errors = await linesOf(done.error_file_id)
  t.equal(errors.length, 26)
  t.ok(errors.every(one => one.error?.code === 'batch_cancelled'))
  t.match(await client.batches.cancel(batch.id), { status: 'cancelled' }, 'one that has ended stays as it is')
})

const wrongBatches = [
  { fields: { input_file_id: 'file-nothing' }, status: 404, param: 'input_file_id' },
  { fields: { endpoint: '/v1/batches' }, status: 400, param: 'endpoint' },
  { fields: { endpoint: '/v1/batch' }, status: 400, param: 'endpoint' },
  { fields: { completion_window: '48h' }, status: 400, param: 'completion_window' },
  { fields: { metadata: { a: 'x'.repeat(513) } }, status: 400, param: 'metadata.a' },
  {
    fields: { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [at, ''])) },
    status: 400,
    param: 'metadata'
  }
]
for (const { fields, status, param } of wrongBatches) {
  t.test(`a batch is refused: ${JSON.stringify(fields).slice(0, 50)}`, async t => {
    const file = await upload(line('a'))
    const body = { input_file_id: file.id, endpoint: CHAT, completion_window: '24h', ...fields }
    const response = await fetch(`${url}/v1/batches`, { method: 'POST', body: JSON.stringify(body) })
    t.equal(response.status, status)
    t.equal((await response.json()).error.param, param)
  })
}

t.test('a batch of nobody, or of somebody else, is not found', async t => {
  for (const path of ['batch_x', 'batch_x/cancel']) {
    const method = path.endsWith('cancel') ? 'POST' : 'GET'
    const response = await fetch(`${url}/v1/batches/${path}`, { method })
    t.equal(response.status, 404)
  }
  t.equal((await fetch(`${url}/v1/batches?after=batch_x`)).status, 404)
})

t.test('many requests in one call are answered in their order, wrong ones too', async t => {
  const ask = (custom_id: string, body: object = {}) => ({ custom_id, url: CHAT, body: { ...QUESTION, ...body } })
  const requests = [
    ask('a'),
    ask('b', { model: 'nobody' }),
    ask('c', { n: 2 }),
    ask('a'),
    { url: CHAT },
    ask('d', { models: ['tiny-chat'] })
  ]
  const post = async (body: object, headers: Record<string, string> = {}) =>
    fetch(`${url}/v1/batch`, { method: 'POST', body: JSON.stringify(body), headers })
  const whole = await (await post({ requests })).json()
  t.match(whole, {
    object: 'batch.result',
    request_counts: { total: 6, completed: 3, failed: 3 },
    responses: [
      { custom_id: 'a', response: { status_code: 200, body: { object: 'chat.completion' } } },
      { custom_id: 'b', response: { status_code: 404, body: { error: { code: 'model_not_found' } } } },
      { custom_id: 'c', response: { status_code: 200, body: { choices: { length: 2 } } } },
      { custom_id: 'a', response: { status_code: 400, body: { error: { param: 'custom_id' } } } },
      { custom_id: null, response: { status_code: 400 } },
      { custom_id: 'd', response: { status_code: 200, body: { mesh: { strategy: 'fallback' } } } }
    ]
  })
  t.ok(whole.usage.completion_tokens > 0)
  const accepted = await (await post({ requests }, { prefer: 'respond-async' })).json()
  await (await fetch(`${url}/v1/requests/${accepted.id}/events`)).text()
  const polled = await (await fetch(`${url}${accepted.response_url}`)).json()
  t.same(polled.request_counts, whole.request_counts, 'or asked for later')
  t.equal((await post({ requests: Array(21).fill(ask('a')) })).status, 400)
  t.equal((await post({ requests: [] })).status, 400)
  t.equal((await post({})).status, 400)
})
