import { openAiErrors } from '@resultity/test-api'
import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2, { contextLength: 128, limits: { bodyBytesMax: 20_000 } })
t.teardown(() => mesh[Symbol.asyncDispose]())
const { httpUrl } = mesh.coordinator

async function get(path: string) {
  const response = await fetch(`${httpUrl}${path}`)
  return { status: response.status, headers: response.headers, body: await response.json() }
}

t.test('a wrong request is refused with a status, a code, the field, and what to do', async t => {
  const user = { role: 'user', content: 'Hi' }
  const image = { type: 'image_url', image_url: { url: 'data:,' } }
  const long = { role: 'user', content: 'word '.repeat(200) }
  const cases: {
    id: string
    body: unknown
    status?: number
    code?: string
    param?: string | null
    message?: RegExp
  }[] = [
    { id: 'not JSON', body: '{"model":', param: null, message: /not JSON/ },
    { id: 'nothing', body: '', param: null, message: /empty/ },
    { id: 'JSON that is no object', body: '[1]', param: null },
    { id: 'poison', body: '{"__proto__":{"messages":[]}}', param: 'messages' },
    { id: 'no messages', body: { model: 'tiny-chat' }, param: 'messages' },
    { id: 'empty messages', body: { ...QUESTION, messages: [] }, param: 'messages' },
    { id: 'an unknown role', body: { ...QUESTION, messages: [{ role: 'boss' }] }, param: 'messages[0].role' },
    {
      id: 'content of a wrong type',
      body: { ...QUESTION, messages: [{ ...user, content: 5 }] },
      param: 'messages[0].content'
    },
    { id: 'a user without content', body: { ...QUESTION, messages: [{ role: 'user' }] }, param: 'messages[0].content' },
    {
      id: 'an image',
      body: { ...QUESTION, messages: [user, { role: 'user', content: [image] }] },
      param: 'messages[1].content[0].type',
      message: /image_url/
    },
    { id: 'max_tokens 0', body: { ...QUESTION, max_tokens: 0 }, param: 'max_tokens' },
    { id: 'max_tokens negative', body: { ...QUESTION, max_tokens: -1 }, param: 'max_tokens' },
    { id: 'max_completion_tokens 0', body: { ...QUESTION, max_completion_tokens: 0 }, param: 'max_completion_tokens' },
    { id: 'max_tokens as a text', body: { ...QUESTION, max_tokens: '5' }, param: 'max_tokens' },
    { id: 'half a token', body: { ...QUESTION, max_tokens: 1.5 }, param: 'max_tokens' },
    { id: 'hardly a penalty', body: { ...QUESTION, repetition_penalty: 5e-324 }, param: 'repetition_penalty' },
    { id: 'too hot', body: { ...QUESTION, temperature: 2.1 }, param: 'temperature' },
    { id: 'top_p 0', body: { ...QUESTION, top_p: 0 }, param: 'top_p' },
    { id: 'a broken seed', body: { ...QUESTION, seed: 0.5 }, param: 'seed' },
    { id: 'too many stops', body: { ...QUESTION, stop: Array(17).fill('a') }, param: 'stop' },
    { id: 'an empty stop', body: { ...QUESTION, stop: '' }, param: 'stop' },
    { id: 'no answers', body: { ...QUESTION, n: 0 }, param: 'n' },
    { id: 'too many answers', body: { ...QUESTION, n: 129 }, param: 'n' },
    { id: 'top_logprobs alone', body: { ...QUESTION, top_logprobs: 2 }, param: 'top_logprobs' },
    { id: '21 top_logprobs', body: { ...QUESTION, logprobs: true, top_logprobs: 21 }, param: 'top_logprobs' },
    {
      id: 'a format of no kind',
      body: { ...QUESTION, response_format: { type: 'xml' } },
      param: 'response_format.type'
    },
    {
      id: 'a schema that is missing',
      body: { ...QUESTION, response_format: { type: 'json_schema' } },
      param: 'response_format.json_schema'
    },
    {
      id: 'a keyword that cannot be held to',
      body: {
        ...QUESTION,
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'x', schema: { items: { not: { format: 'date' } } }, strict: true }
        }
      },
      param: 'response_format.json_schema.schema/items/not'
    },
    {
      id: 'JSON without an end',
      body: { ...QUESTION, response_format: { type: 'json_object' }, ignore_eos: true },
      param: 'ignore_eos'
    },
    { id: 'a penalty out of bounds', body: { ...QUESTION, frequency_penalty: 3 }, param: 'frequency_penalty' },
    { id: 'a bias on no token', body: { ...QUESTION, logit_bias: { word: 1 } }, param: 'logit_bias.word' },
    {
      id: 'a bias on a token beyond the vocabulary',
      body: { ...QUESTION, logit_bias: { 768: 1 } },
      param: 'logit_bias'
    },
    { id: 'a share above one', body: { ...QUESTION, min_p: 2 }, param: 'min_p' },
    {
      id: 'a tool without a function',
      body: { ...QUESTION, tools: [{ type: 'function' }] },
      param: 'tools[0].function'
    },
    { id: 'a tool of another type', body: { ...QUESTION, tools: [{ type: 'web_search' }] }, param: 'tools[0].type' },
    { id: 'a choice of no tools', body: { ...QUESTION, tool_choice: 'required' }, param: 'tool_choice' },
    { id: 'a choice of another kind', body: { ...QUESTION, tool_choice: 'maybe' }, param: 'tool_choice' },
    {
      id: 'parameters that cannot be held to',
      body: {
        ...QUESTION,
        tool_choice: 'required',
        tools: [
          {
            type: 'function',
            function: { name: 'f', parameters: { properties: { a: { not: { format: 'date' } } } }, strict: true }
          }
        ]
      },
      param: 'tools[0].function.parameters/properties/a/not'
    },
    { id: 'stream as a text', body: { ...QUESTION, stream: 'yes' }, param: 'stream' },
    { id: 'no stages', body: { ...QUESTION, mesh: { stages: 0 } }, param: 'mesh.stages' },
    {
      id: 'more stages than layers',
      body: { ...QUESTION, mesh: { stages: 5 } },
      param: 'mesh.stages',
      message: /4 layers/
    },
    {
      id: 'more stages than nodes',
      body: { ...QUESTION, mesh: { stages: 3 } },
      status: 503,
      code: 'layers_missing',
      param: null,
      message: /3 stages need 3 nodes and there are 2/
    },
    {
      id: 'an unknown model',
      body: { ...QUESTION, model: 'gpt-9' },
      status: 404,
      code: 'model_not_found',
      param: 'model',
      message: /"gpt-9".*"tiny-chat"/
    },
    { id: 'no model', body: { messages: [user] }, status: 404, code: 'model_not_found', param: 'model' },
    {
      id: 'a prompt longer than the context',
      body: { ...QUESTION, messages: [long] },
      code: 'context_length_exceeded',
      param: 'messages',
      message: /\d+ tokens.* 128/
    },
    {
      id: 'a prompt that is not worth counting',
      body: { ...QUESTION, messages: Array.from({ length: 10 }, () => long) },
      code: 'context_length_exceeded',
      param: 'messages',
      message: /10000 characters.* 128/
    },
    {
      id: 'a body over the limit',
      body: { ...QUESTION, pad: 'x'.repeat(20_000) },
      status: 413,
      code: 'request_too_large',
      param: null
    }
  ]
  for (const { id, body, status = 400, code = 'invalid_request', param, message = /./ } of cases) {
    for (const stream of typeof body === 'string' ? [undefined] : [undefined, true]) {
      const sent = typeof body === 'string' || Array.isArray(body) ? body : { stream, ...(body as object) }
      const response = await mesh.post(sent)
      const answer = await response.json()
      const name = `${id}${stream ? ', streamed' : ''}`
      t.equal(response.status, status, `${name}: ${status}`)
      t.match(
        answer,
        { error: { message, code, param, type: status === 503 ? 'server_error' : 'invalid_request_error' } },
        name
      )
      t.same(openAiErrors('ErrorResponse', answer), [], `${name}: as OpenAI words errors`)
      t.match(response.headers.get('x-request-id'), /^req_/)
      t.equal(response.headers.has('retry-after'), status === 503, `${name}: retry-after only if that may help`)
    }
  }
  t.same(
    mesh.nodes.map(node => node.sessionsOpen),
    [0, 0],
    'nothing is left behind'
  )
  t.equal((await mesh.post(QUESTION)).status, 200, 'and the server serves on')
})

t.test('a body is JSON whatever it is called', async t => {
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/json; charset=utf-8']) {
    const response = await mesh.post({ ...QUESTION, max_tokens: 1 }, { headers: { 'content-type': type } })
    t.equal(response.status, 200, type)
  }
})

t.test('models are listed and found, by name or reference, with raw or encoded slashes', async t => {
  const list = await get('/v1/models')
  t.same(openAiErrors('ListModelsResponse', list.body), [])
  t.match(list.body.data, [{ id: 'tiny-chat', object: 'model', layers: 4, contextLength: 128 }])
  const one = await get('/v1/models/tiny-chat')
  t.same(openAiErrors('Model', one.body), [])
  t.match(await get('/v1/models/org%2Fmodel'), { status: 404, body: { error: { message: /"org\/model"/ } } })
  t.match(await get('/v1/models/org/model'), { status: 404, body: { error: { code: 'model_not_found' } } })
})

t.test('the mesh shows its nodes, placements and plans', async t => {
  const nodes = await get('/v1/mesh/nodes')
  t.same(
    nodes.body.data.map((node: { peerId: string }) => node.peerId),
    mesh.nodes.map(node => node.peerId).toSorted()
  )
  t.match(nodes.body.data[0], { hardware: { cpuModel: 'test' }, memoryOfferedBytes: Number, labels: {} })
  const placements = await get('/v1/mesh/placements')
  t.match(placements.body.data, [
    {
      model: 'tiny-chat',
      state: 'ready',
      purpose: 'default',
      stages: [
        { range: { first: 0, end: 2 }, state: 'ready', memoryBytes: Number },
        { range: { first: 2, end: 4 }, state: 'ready' }
      ]
    }
  ])
  t.same((await get('/v1/mesh/links')).body, { object: 'list', data: [] }, 'every link carries')
  const plan = await get('/v1/mesh/plan?model=tiny-chat&stages=1')
  t.match(plan.body, { model: 'tiny-chat', msPerToken: Number, stages: [{ range: { first: 0, end: 4 }, ms: Number }] })
  t.equal((await get('/v1/mesh/plan?model=tiny-chat')).body.stages.length, 2, 'without a number: as it is served')
  t.equal((await get('/v1/mesh/plan?model=tiny-chat&stages=auto')).body.stages.length, 1)
  t.match(await get('/v1/mesh/plan?model=tiny-chat&stages=3'), {
    status: 503,
    body: { error: { code: 'layers_missing' } }
  })
  t.match(await get('/v1/mesh/plan?model=tiny-chat&stages=x'), { status: 400, body: { error: { param: 'stages' } } })
  t.match(await get('/v1/mesh/plan?stages=1'), { status: 400, body: { error: { param: 'model' } } })
})

t.test('health, metrics, and what does not exist', async t => {
  t.match(await get('/healthz'), { status: 200, body: { status: 'ok' } })
  t.match(await get('/readyz'), { status: 200, body: { status: 'ready' } })
  await (await mesh.post({ ...QUESTION, max_tokens: 1, stream: true })).text()
  const metrics = await (await fetch(`${httpUrl}/metrics`)).text()
  for (const line of [
    /^resultity_nodes 2$/m,
    /^resultity_placements\{state="ready"\} 1$/m,
    /^resultity_stages\{state="ready"\} 2$/m,
    /^resultity_slots 4$/m,
    /^resultity_generations_total\{model="tiny-chat",outcome="length"\} [1-9]/m,
    /^resultity_completion_tokens_total\{model="tiny-chat"\} [1-9]/m,
    /^resultity_time_to_first_token_seconds_count\{model="tiny-chat"\} [1-9]/m,
    /^resultity_http_requests_total\{route="\/v1\/chat\/completions",method="POST",status="400"\} [1-9]/m,
    /^process_resident_memory_bytes [1-9]/m
  ]) {
    t.match(metrics, line)
  }
  const unknown = await get('/v1/nothing?here')
  t.match(unknown, { status: 404, body: { error: { code: 'unknown_url', message: /GET \/v1\/nothing/, param: null } } })
  t.match(unknown.headers.get('x-request-id'), /^req_/)
  t.equal(
    (await fetch(`${httpUrl}${CHAT}`, { method: 'DELETE' })).status,
    405,
    'a route by another method is another route'
  )
})
