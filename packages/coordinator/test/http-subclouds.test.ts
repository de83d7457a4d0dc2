import OpenAI from 'openai'
import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const ADMIN = '/v1/admin/subclouds'
const mesh = await startScriptedMesh(3, {
  stages: 1,
  contextLength: 256,
  subclouds: { fixed: { region: 'nowhere' } },
  limits: { batchPollMs: 20 }
})
t.teardown(() => mesh[Symbol.asyncDispose]())
const url = mesh.coordinator.httpUrl
const [first = '', second = '', third = ''] = mesh.nodes.map(({ peerId }) => peerId).toSorted()

async function ask(method: string, path: string, body?: unknown) {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}

const peersOf = (header: string | null): string[] =>
  [...(header ?? '').matchAll(/(\w+)\[/g)].map(match => match[1] ?? '').toSorted()

const routeOf = async (path: string, fields: object = {}): Promise<string[]> => {
  const { status, headers, body } = await ask('POST', path, { ...QUESTION, max_tokens: 2, ...fields })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return peersOf(headers.get('x-resultity-route'))
}

t.test('subclouds are made, shown, replaced and removed', async t => {
  const made = await ask('PUT', `${ADMIN}/one`, { nodes: [first] })
  t.match(made, {
    status: 200,
    body: { name: 'one', source: 'api', nodes: [first], members: [first], isolated: false }
  })
  t.match((await ask('PUT', `${ADMIN}/one`, { nodes: [second, 'who'], isolated: true })).body, {
    members: [second],
    isolated: true
  })
  const { body } = await ask('GET', ADMIN)
  t.match(body.data, [{ name: 'fixed', source: 'configuration', members: [] }, { name: 'one' }])
  t.same((await ask('GET', '/v1/mesh/subclouds')).body, body)
  t.match((await ask('GET', `${ADMIN}/one`)).body, { name: 'one' })
  const nodes = (await ask('GET', '/v1/mesh/nodes')).body.data
  t.same(nodes.find((node: { peerId: string }) => node.peerId === second).subclouds, ['one'])
  t.same((await ask('DELETE', `${ADMIN}/one`)).body, { name: 'one', object: 'subcloud', deleted: true })
  t.equal((await ask('GET', `${ADMIN}/one`)).status, 404)
})

const wrong: { id: string; method?: string; name: string; body?: unknown; status: number; param?: string }[] = [
  { id: 'nothing', name: 'a', status: 400 },
  { id: 'no nodes', name: 'a', body: {}, status: 400 },
  { id: 'an empty list', name: 'a', body: { nodes: [] }, status: 400, param: 'nodes' },
  { id: 'an unknown key', name: 'a', body: { region: 'eu', isolatet: true }, status: 400 },
  { id: 'a model of nobody', name: 'a', body: { region: 'eu', models: ['x'] }, status: 400, param: 'models[0]' },
  { id: 'a name in capitals', name: 'EU', body: { region: 'eu' }, status: 400, param: 'name' },
  { id: 'a name with a slash', name: 'a%2fb', body: { region: 'eu' }, status: 400, param: 'name' },
  { id: 'one of the configuration', name: 'fixed', body: { region: 'eu' }, status: 400, param: 'name' },
  { id: 'the end of one of the configuration', method: 'DELETE', name: 'fixed', status: 400, param: 'name' },
  { id: 'the end of none', method: 'DELETE', name: 'none', status: 404, param: 'name' }
]
for (const { id, method = 'PUT', name, body, status, param } of wrong) {
  t.test(`refused: ${id}`, async t => {
    const answer = await ask(method, `${ADMIN}/${name}`, body)
    t.equal(answer.status, status, JSON.stringify(answer.body))
    if (param !== undefined) t.equal(answer.body.error.param, param)
  })
}

t.test('every kind of request runs in the subcloud that its path or its body names', async t => {
  await ask('PUT', `${ADMIN}/two`, { nodes: [second, third], isolated: true })
  t.same(await routeOf(CHAT), [first], 'the general pool has what is left')
  for (const stages of [1, 2]) {
    const peers = await routeOf(`/subclouds/two${CHAT}`, { mesh: { stages } })
    t.equal(peers.length, stages)
    t.notOk(peers.includes(first))
  }
  t.same(await routeOf(CHAT, { mesh: { subcloud: 'two', nodes: [third] } }), [third])
  t.same(await routeOf('/subclouds/two/v1/completions', { prompt: 'a', mesh: { nodes: [third] } }), [third])
  const response = { input: 'a', max_tokens: undefined, max_output_tokens: 16, mesh: { nodes: [third] } }
  t.same(await routeOf('/subclouds/two/v1/responses', response), [third])
  const several = await ask('POST', `/subclouds/two${CHAT}`, {
    ...QUESTION,
    max_tokens: 2,
    models: ['tiny-chat', 'tiny-chat'],
    judge: { model: 'tiny-chat' }
  })
  const routes = several.body.mesh.models.map((one: { route: { peerId: string }[] }) => one.route[0]?.peerId)
  t.equal(routes.length, 3)
  t.notOk(routes.includes(first), 'the judge too')
  const { body } = await ask('GET', '/v1/usage?group_by=model')
  const sums: { model: string | null; subcloud: string | null; total_tokens: number }[] = body.data
  const ofModel = sums.filter(({ model }) => model === 'tiny-chat')
  t.same(new Set(ofModel.map(({ subcloud }) => subcloud)), new Set([null, 'two']))
  const [all] = (await ask('GET', '/v1/usage?model=tiny-chat')).body.data
  const summed = ofModel.reduce((sum, { total_tokens: tokens }) => sum + tokens, 0)
  t.equal(all.total_tokens, summed, 'all that ran on the model')
})

t.test('requests of batches run in the subcloud of their batch', async t => {
  const client = new OpenAI({ baseURL: `${url}/subclouds/two/v1`, apiKey: 'none' })
  const lines = [{}, { mesh: { subcloud: 'two' } }, { mesh: { subcloud: 'fixed' } }].map((fields, index) =>
    JSON.stringify({
      custom_id: `${index}`,
      method: 'POST',
      url: CHAT,
      body: { ...QUESTION, max_tokens: 2, ...fields }
    })
  )
  const file = await client.files.create({ file: new File([lines.join('\n')], 'a'), purpose: 'batch' })
  const { id } = await client.batches.create({ input_file_id: file.id, endpoint: CHAT, completion_window: '24h' })
  await (await fetch(`${url}/v1/requests/${id.replace('batch_', 'req_')}/events`)).text()
  const batch = await client.batches.retrieve(id)
  t.match(batch, { status: 'completed', request_counts: { completed: 2, failed: 1 } })
  const output = await (await client.files.content(String(batch.output_file_id))).text()
  t.notOk(output.includes(first))
  t.match(await (await client.files.content(String(batch.error_file_id))).text(), /mesh\.subcloud is .*fixed/)
})

t.test('what a subcloud cannot serve is said with what it lacks', async t => {
  const cases = [
    { path: `/subclouds/nobody${CHAT}`, status: 404, code: 'subcloud_not_found', message: /There are "fixed", "two"/ },
    { fields: { mesh: { subcloud: 'nobody' } }, status: 404, code: 'subcloud_not_found', param: 'mesh.subcloud' },
    { path: `/subclouds/two${CHAT}`, fields: { mesh: { subcloud: 'fixed' } }, status: 400, param: 'mesh.subcloud' },
    { path: `/subclouds/fixed${CHAT}`, status: 503, code: 'layers_missing', message: /"fixed" \(region=nowhere\)/ },
    { fields: { mesh: { region: 'mars' } }, status: 503, message: /in region "mars": no node is here/ },
    { fields: { mesh: { nodes: [second] } }, status: 503, message: /on \w+: no node is here/ },
    { fields: { mesh: { nodes: [] } }, status: 400, param: 'mesh.nodes' },
    { fields: { mesh: { nodes: 'a' } }, status: 400, param: 'mesh.nodes' },
    { fields: { mesh: { region: 5 } }, status: 400, param: 'mesh.region' },
    { fields: { mesh: { subcloud: {} } }, status: 400, param: 'mesh.subcloud' },
    { path: '/subclouds/two/v1/nothing', status: 404, code: 'unknown_url' }
  ]
  for (const { path = CHAT, fields = {}, status, ...error } of cases) {
    const answer = await ask('POST', path, { ...QUESTION, ...fields })
    t.equal(answer.status, status, `${path} ${JSON.stringify(answer.body)}`)
    t.match(answer.body, { error })
  }
  t.match(await ask('GET', '/subclouds/nobody/v1/models'), {
    status: 404,
    body: { error: { code: 'subcloud_not_found' } }
  })
})

t.test('a subcloud may serve some models only', async t => {
  await ask('PUT', `${ADMIN}/few`, { nodes: [first], models: ['tiny-chat'] })
  t.match((await ask('GET', '/subclouds/few/v1/models')).body.data, [{ id: 'tiny-chat' }])
  t.same(await routeOf(`/subclouds/few${CHAT}`), [first])
  const { body } = await ask('GET', '/v1/mesh/plan?model=tiny-chat&subcloud=few')
  t.match(body.stages, [{ peerId: first }])
})
