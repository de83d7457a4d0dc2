import { startPostgres } from '@resultity/test-postgres'
import t, { type Test } from 'tap'
import { heldGenerator } from './support/held-generator.ts'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

for (const dialect of ['SQLite', 'PostgreSQL'] as const) {
  t.test(`${dialect}: subclouds are bound to keys`, t => attacks(t, dialect))
}

async function attacks(t: Test, dialect: 'SQLite' | 'PostgreSQL'): Promise<void> {
  const server = dialect === 'SQLite' ? undefined : await startPostgres()
  const store = server === undefined ? {} : { store: await server.createDatabase() }
  const nowhere = { labels: { tier: 'none' } }
  const generator = heldGenerator()
  const mesh = await startScriptedMesh(1, {
    generator,
    contextLength: 256,
    limits: { batchPollMs: 20 },
    subclouds: { mine: nowhere, theirs: nowhere },
    ...store
  })
  t.teardown(async () => {
    await mesh[Symbol.asyncDispose]()
    await server?.stop()
  })
  const { httpUrl: url } = mesh.coordinator

  async function ask(key: string, method: string, path: string, body?: object, headers: Record<string, string> = {}) {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, text, body: JSON.parse(text) }
  }

  const later = { prefer: 'respond-async' }
  const admin = (await ask('none', 'POST', '/v1/admin/keys', { scopes: ['admin'] })).body.key
  const scopes = ['inference', 'read-usage', 'read-mesh']
  const made = async (body: object) => (await ask(admin, 'POST', '/v1/admin/keys', { scopes, ...body })).body
  const { key: bound, id: boundId } = await made({ subclouds: ['mine'] })
  const { key: free } = await made({})
  const question = { ...QUESTION, max_tokens: 1 }
  const inside = (subcloud: string) => ({ ...question, mesh: { subcloud } })
  const line = (custom_id: string, subcloud: string) => ({
    custom_id,
    method: 'POST',
    url: CHAT,
    body: inside(subcloud)
  })

  await t.test('a key with a list neither uses nor sees another subcloud, whatever form names it', async t => {
    const forms: readonly [name: string, method: string, path: string, body: object | undefined, param: string][] = [
      ['the body', 'POST', CHAT, inside('theirs'), 'mesh.subcloud'],
      ['the path', 'POST', `/subclouds/theirs${CHAT}`, question, 'mesh.subcloud'],
      ['the path of a list', 'GET', '/subclouds/theirs/v1/models', undefined, 'mesh.subcloud'],
      ['a plan', 'GET', '/v1/mesh/plan?model=tiny-chat&subcloud=theirs', undefined, 'subcloud'],
      ['an ensemble', 'POST', CHAT, { ...inside('theirs'), models: ['tiny-chat', 'tiny-chat'] }, 'mesh.subcloud'],
      [
        'a response',
        'POST',
        '/v1/responses',
        { model: 'tiny-chat', input: 'a', mesh: { subcloud: 'theirs' } },
        'mesh.subcloud'
      ],
      [
        'one of many',
        'POST',
        '/v1/batch',
        { requests: [line('a', 'mine'), line('b', 'theirs')] },
        'requests[1].body.mesh.subcloud'
      ],
      [
        'a call of many',
        'POST',
        '/v1/batch',
        { requests: [line('a', 'mine')], mesh: { subcloud: 'theirs' } },
        'mesh.subcloud'
      ]
    ]
    for (const [name, method, path, body, param] of forms) {
      const refused = await ask(bound, method, path, body)
      t.match(refused, { status: 404, body: { error: { code: 'subcloud_not_found', param } } }, name)
      const other = JSON.parse(JSON.stringify(body ?? null).replaceAll('theirs', 'absent')) ?? undefined
      const absent = await ask(bound, method, path.replace('theirs', 'absent'), other)
      t.equal(absent.text.replaceAll('absent', 'theirs'), refused.text, `${name}: as one that there is not`)
      t.notMatch(refused.text, /There are[^.]*theirs/)
    }
  })

  await t.test('lists show what the key was given', async t => {
    const names = async (key: string) => {
      const { body } = await ask(key, 'GET', '/v1/mesh/subclouds')
      return body.data.map(({ name }: { name: string }) => name)
    }
    t.strictSame(await names(bound), ['mine'])
    t.strictSame(await names(free), ['mine', 'theirs'], 'a key without a list has all')
    t.strictSame(await names(admin), ['mine', 'theirs'])
    t.match(await ask(admin, 'GET', `/v1/admin/keys/${boundId}`), { body: { subclouds: ['mine'] } })
  })

  await t.test('a line of a batch in a file is held to it too', async t => {
    const form = new FormData()
    form.append('purpose', 'batch')
    form.append('file', new File([`${JSON.stringify(line('a', 'theirs'))}\n`], 'in.jsonl'))
    const headers = { authorization: `Bearer ${bound}` }
    const file = (await (await fetch(`${url}/v1/files`, { method: 'POST', body: form, headers })).json()) as {
      id: string
    }
    const routing = { input_file_id: file.id, endpoint: CHAT, completion_window: '24h' }
    const { id } = (await ask(bound, 'POST', '/v1/batches', routing)).body
    let batch = (await ask(bound, 'GET', `/v1/batches/${id}`)).body
    while (batch.status !== 'completed') batch = (await ask(bound, 'GET', `/v1/batches/${id}`)).body
    const text = await (await fetch(`${url}/v1/files/${batch.error_file_id}/content`, { headers })).text()
    t.match(JSON.parse(text), { custom_id: 'a', error: { code: 'subcloud_not_found' } })
  })

  await t.test('a request that waits in a subcloud is refused when its key has lost that', async t => {
    const { key, id } = await made({ namespace: 'loses', subclouds: ['mine'] })
    generator.hold()
    // as many as there are places, and one that waits
    const asked = []
    for (let index = 0; index < 21; index++) asked.push(await ask(key, 'POST', CHAT, inside('mine'), later))
    while (generator.now < 20) await ask(key, 'GET', '/v1/models')
    const { body } = await ask(key, 'GET', '/v1/requests?status=queued')
    t.equal(body.data.length, 1)
    const change = (subclouds: readonly string[] | null) => ask(admin, 'POST', `/v1/admin/keys/${id}`, { subclouds })
    t.match(await change([]), { status: 200, body: { subclouds: [] } })
    t.match(await ask(key, 'POST', CHAT, inside('mine'), later), { status: 404 })
    generator.let()
    let result = await ask(key, 'GET', `/v1/requests/${body.data[0].id}/result`)
    while (result.status === 202) result = await ask(key, 'GET', `/v1/requests/${body.data[0].id}/result`)
    t.match(result, { status: 404, body: { error: { code: 'subcloud_not_found' } } })
    t.match(await change(null), { body: { subclouds: null } })
    t.match(await ask(key, 'POST', CHAT, inside('theirs'), later), { status: 202 }, 'without a list it has all')
  })
}
