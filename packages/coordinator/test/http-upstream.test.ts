import { type ErrorCode, MeshError } from '@resultity/interface'
import { openAiErrors } from '@resultity/test-api'
import type { ScriptedJob } from '@resultity/test-nodes'
import t from 'tap'
import {
  bytes,
  CHAT,
  MODEL,
  offer,
  payloads,
  piece,
  question,
  requestOf,
  type Script,
  says,
  startMesh,
  whole
} from './support/relaying-mesh.ts'

const shared = await startMesh(t, 2)
t.beforeEach(() => {
  shared.jobs.length = 0
  shared.scripts = [says(whole)]
})

t.test('what nodes offer is a model', async t => {
  const list = await (await fetch(`${shared.url}/v1/models`)).json()
  t.match(list, {
    data: [{ id: MODEL, kind: 'upstream', contextLength: 4096, endpoints: [CHAT, '/v1/completions', '/v1/embeddings'] }]
  })
  t.strictSame(list.data[0].nodes.toSorted(), shared.nodes.map(({ peerId }) => peerId).toSorted())
  t.match(await (await fetch(`${shared.url}/v1/models/${MODEL}`)).json(), { id: MODEL, kind: 'upstream' })
  t.match(await (await fetch(`${shared.url}/v1/mesh/nodes`)).json(), { data: [{ offered: [{ name: MODEL }] }] })
})

t.test('a whole answer is the server\u2019s, as far as it is one', async t => {
  const response = await shared.post(CHAT, {
    ...question,
    temperature: 0.5,
    seed: 7,
    mesh: { region: 'r0' },
    store: false,
    metadata: { a: 'b' },
    kv_transfer_params: { remote_host: '192.0.2.1' },
    callback_url: 'http://192.0.2.1/'
  })
  t.equal(response.status, 200)
  const body = await response.json()
  t.same(openAiErrors('CreateChatCompletionResponse', body), [])
  t.match(body, {
    model: MODEL,
    choices: [{ message: { content: 'Paris' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 4 } },
    mesh: { upstream: { peerId: shared.nodes[0]?.peerId } }
  })
  t.notMatch(JSON.stringify(body), /theirs|secret/)
  t.equal(response.headers.get('x-resultity-route'), shared.nodes[0]?.peerId)
  const [job] = shared.jobs
  t.match(job?.request, { endpoint: CHAT, model: MODEL, manifestSha256: '' })
  t.strictSame(requestOf(job as ScriptedJob), { messages: question.messages, temperature: 0.5, seed: 7 })
})

t.test('a streamed answer comes piece by piece, with calls, log-probabilities and usage', async t => {
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"a"' } }
  const logprobs = { content: [{ token: 'Par', logprob: -0.5, bytes: null, top_logprobs: [] }] }
  shared.scripts = [
    says(
      piece({ role: 'assistant', content: '' }),
      { choices: [{ index: 0, delta: { content: 'Par' }, logprobs }] },
      piece({ tool_calls: [call] }),
      piece({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
      piece({}, 'tool_calls'),
      { choices: [], usage: { prompt_tokens: 5, completion_tokens: 3 } }
    )
  ]
  const body = { ...question, stream: true, stream_options: { include_usage: true }, logprobs: true }
  const response = await shared.post(CHAT, body, {
    headers: { 'idempotency-key': 'one', 'content-type': 'application/json' }
  })
  const told = await payloads(response)
  t.equal(told.at(-1), '[DONE]')
  const chunks = told.slice(0, -1).map(text => JSON.parse(text))
  for (const chunk of chunks) t.same(openAiErrors('CreateChatCompletionStreamResponse', chunk), [])
  t.match(chunks[1].choices[0], { delta: { content: 'Par' }, logprobs })
  t.match(chunks[2].choices[0].delta.tool_calls, [call])
  t.match(chunks.at(-1), { choices: [], usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 } })
  t.match(requestOf(shared.jobs[0] as ScriptedJob), { stream: true, stream_options: { include_usage: true } })
  const id = response.headers.get('x-request-id')
  const kept = await (await fetch(`${shared.url}/v1/requests/${id}/result`)).json()
  t.match(kept, {
    choices: [
      {
        message: {
          content: 'Par',
          tool_calls: [{ id: 'call_1', function: { name: 'weather', arguments: '{"a":1}' } }]
        },
        finish_reason: 'tool_calls',
        logprobs
      }
    ],
    usage: { completion_tokens: 3 }
  })
  t.equal(shared.jobs.length, 1)
})

t.test('where nothing was told, another node is asked', async t => {
  const ways: Record<string, Script> = {
    'the node is cut off': async job => job.cut(),
    'the node is busy': job =>
      job.send({ type: 'error', sequence: 0, error: new MeshError('resource_exhausted', 'full') }),
    'the server failed': async job => {
      await job.send({ type: 'started', sequence: 0 })
      await job.send({ type: 'error', sequence: 1, error: new MeshError('upstream_failed', 'it is gone') })
    },
    'the answer is none': says({ choices: 'none' })
  }
  for (const [name, way] of Object.entries(ways)) {
    for (const stream of [false, true]) {
      shared.jobs.length = 0
      shared.scripts = [way, says(...(stream ? [piece({ content: 'Paris' }, 'stop')] : [whole]))]
      const response = await shared.post(CHAT, { ...question, stream })
      // what is read as a whole is read once a node has ended
      const other = name === 'the answer is none' && !stream
      t.equal(response.status, other ? 502 : 200, `${name}, ${stream}`)
      if (!other) t.match(await response.text(), /Paris/)
      t.equal(new Set(shared.jobs.map(({ node }) => node.peerId)).size, other ? 1 : 2)
    }
  }
})

t.test('a node that refuses a request is not lost with it, and counts as none of those that may try', async t => {
  const mesh = await startMesh(t, 3, [], offer(), { routeAttemptsMax: 1, jobNodeLossesMax: 1 })
  const refusing =
    (code: ErrorCode): Script =>
    job =>
      job.send({ type: 'error', sequence: 0, error: new MeshError(code, 'not here') })
  mesh.scripts = [refusing('resource_exhausted'), refusing('unavailable'), says(whole)]
  const response = await mesh.post(CHAT, question)
  t.equal(response.status, 200)
  t.equal(new Set(mesh.jobs.map(({ node }) => node.peerId)).size, 3)
  mesh.jobs.length = 0
  mesh.scripts = [refusing('unavailable'), async job => job.cut()]
  t.match(await (await mesh.post(CHAT, question)).json(), { error: { code: 'nodes_lost_too_often' } })
  t.equal(mesh.jobs.length, 2, 'the second had it')
})

t.test('what the server refuses is the client\u2019s fault, and nobody else is asked', async t => {
  const error = new MeshError('invalid_request', 'the server answered 400: no')
  shared.scripts = [job => job.send({ type: 'error', sequence: 0, error })]
  const response = await shared.post(CHAT, question)
  t.equal(response.status, 400)
  t.match(await response.json(), { error: { message: /answered 400: no/ } })
  t.equal(shared.jobs.length, 1)
})

t.test('an answer that breaks off ends with an error that says so', async t => {
  const begin = async (job: ScriptedJob): Promise<void> => {
    await job.send({ type: 'started', sequence: 0 })
    await job.send({ type: 'chunk', sequence: 1, chunk: bytes(piece({ content: 'Par' })) })
  }
  const ways: Record<string, readonly [code: string, Script]> = {
    'the node is cut off': ['node_lost', async job => job.cut()],
    'the server failed': [
      'upstream_failed',
      job => job.send({ type: 'error', sequence: 2, error: new MeshError('upstream_failed', 'it is gone') })
    ],
    'an event is none': [
      'protocol_violation',
      job => job.send({ type: 'chunk', sequence: 2, chunk: bytes({ choices: [{ index: -1 }] }) })
    ],
    'an event is no JSON': [
      'protocol_violation',
      job => job.send({ type: 'chunk', sequence: 2, chunk: new Uint8Array([0xff]) })
    ],
    'an event is too long': [
      'protocol_violation',
      job => job.send({ type: 'chunk', sequence: 2, chunk: new Uint8Array(1024 * 1024 + 1) })
    ],
    'an event is missing': [
      'protocol_violation',
      job => job.send({ type: 'chunk', sequence: 3, chunk: bytes(piece({ content: 'is' })) })
    ]
  }
  for (const [name, [code, way]] of Object.entries(ways)) {
    shared.jobs.length = 0
    const told = Promise.withResolvers<void>()
    shared.scripts = [
      async job => {
        await begin(job)
        await told.promise
        await way(job)
      }
    ]
    const response = await shared.post(CHAT, { ...question, stream: true })
    t.equal(response.status, 200, name)
    told.resolve()
    const events = await payloads(response)
    t.match(events[0], /Par/)
    t.equal(JSON.parse(events[1] ?? '{}').error?.code, code, name)
    t.equal(shared.jobs.length, 1, 'nobody else begins the answer again')
  }
})

t.test('a client that hangs up ends the job on its node', async t => {
  const begun = Promise.withResolvers<ScriptedJob>()
  shared.scripts = [
    async job => {
      await job.send({ type: 'started', sequence: 0 })
      await job.send({ type: 'chunk', sequence: 1, chunk: bytes(piece({ content: 'Par' })) })
      begun.resolve(job)
    }
  ]
  const client = new AbortController()
  const response = await shared.post(CHAT, { ...question, stream: true }, { signal: client.signal })
  const job = await begun.promise
  await response.body?.getReader().read()
  client.abort()
  await job.ended
  t.pass('its stream has ended')
})

t.test('completions and embeddings are passed on', async t => {
  const logprobs = { tokens: ['a'], token_logprobs: [-1], top_logprobs: [{ a: -1 }], text_offset: [0] }
  shared.scripts = [says({ choices: [{ index: 0, text: 'a', logprobs, finish_reason: 'length' }] })]
  const completion = await (await shared.post('/v1/completions', { model: MODEL, prompt: 'x', logprobs: 1 })).json()
  t.same(openAiErrors('CreateCompletionResponse', completion), [])
  t.match(completion, { choices: [{ text: 'a', logprobs, finish_reason: 'length' }], usage: { completion_tokens: 1 } })
  shared.scripts = [
    says({ choices: [{ index: 0, text: 'a' }] }, { choices: [{ index: 0, text: 'b', finish_reason: 'stop' }] })
  ]
  const streamed = await payloads(await shared.post('/v1/completions', { model: MODEL, prompt: 'x', stream: true }))
  t.strictSame(
    streamed.slice(0, -1).map(text => JSON.parse(text).choices[0].text),
    ['a', 'b']
  )
  const vectors = {
    data: [
      { index: 1, embedding: [3] },
      { index: 0, embedding: [1, 2] }
    ],
    usage: { prompt_tokens: 4 }
  }
  shared.scripts = [says(vectors)]
  const embeddings = await (await shared.post('/v1/embeddings', { model: MODEL, input: ['a', 'b'] })).json()
  t.same(openAiErrors('CreateEmbeddingResponse', embeddings), [])
  t.match(embeddings, { model: MODEL, data: [{ embedding: [1, 2] }, { embedding: [3] }], usage: { prompt_tokens: 4 } })
  const few = await shared.post('/v1/embeddings', { model: MODEL, input: ['a', 'b', 'c'] })
  t.match([few.status, await few.json()], [502, { error: { code: 'protocol_violation' } }])
})

t.test('what the door refuses stays refused, and other routes say where to ask', async t => {
  const refusals: readonly (readonly [string, object, RegExp])[] = [
    [CHAT, { ...question, messages: [] }, /messages/],
    [CHAT, { ...question, use_beam_search: true }, /use_beam_search/],
    [CHAT, { ...question, mesh: { stages: 2 } }, /whole/],
    [CHAT, { ...question, seed: '9007199254740993123' }, /seed/],
    [
      CHAT,
      {
        model: MODEL,
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://192.0.2.1/' } }] }]
      },
      /image_url/
    ],
    [CHAT, { messages: question.messages, models: [MODEL, 'tiny-chat'] }, /Ask it by/],
    ['/v1/responses', { model: MODEL, input: 'x' }, /Ask it by \/v1\/chat\/completions/]
  ]
  for (const [path, body, message] of refusals) {
    const response = await shared.post(path, body)
    t.equal(response.status, 400)
    t.match((await response.json()).error.message, message)
  }
  t.equal(shared.jobs.length, 0)
})

t.test('batches and polling work as for models of the mesh', async t => {
  const later = await shared.post(`${CHAT}?async=true`, question)
  t.equal(later.status, 202)
  const { id } = await later.json()
  let result = await fetch(`${shared.url}/v1/requests/${id}/result`)
  while (result.status === 202) result = await fetch(`${shared.url}/v1/requests/${id}/result`)
  t.match(await result.json(), { choices: [{ message: { content: 'Paris' } }] })
  const requests = ['a', 'b'].map(custom_id => ({ custom_id, url: CHAT, body: question }))
  const batch = await (await shared.post('/v1/batch', { requests })).json()
  t.match(JSON.stringify(batch), /Paris.*Paris/)
})

t.test('a node that offers nothing any more is asked nothing', async t => {
  const mesh = await startMesh(t, 1)
  mesh.scripts = [says(whole)]
  const [node] = mesh.nodes
  t.equal((await mesh.post(CHAT, question)).status, 200)
  const hello = await node?.hello({ offered: [] })
  if (hello?.type !== 'hello') throw new Error('there is no node')
  node?.say({ type: 'heartbeat', sequence: 1, advert: hello.advert })
  for (;;) {
    const { data } = await (await fetch(`${mesh.url}/v1/models`)).json()
    if (data.length === 0) break
  }
  const response = await mesh.post(CHAT, question)
  t.equal(response.status, 503, 'its name is known still')
  t.match((await response.json()).error.message, /no node has the model/)
  t.equal((await mesh.post(CHAT, { ...question, model: 'never' })).status, 404)
})

t.test('a model of the mesh comes before a server\u2019s of its name', async t => {
  const mesh = await startMesh(t, 1, ['tiny-chat'], offer({ name: 'tiny-chat' }))
  const { data } = await (await fetch(`${mesh.url}/v1/models`)).json()
  t.match(data, [{ id: 'tiny-chat', kind: 'decoder' }])
  t.equal(data.length, 1)
  // its only node has no room for layers
  t.equal((await mesh.post(CHAT, { ...question, model: 'tiny-chat' })).status, 503)
  t.equal(mesh.jobs.length, 0)
})
