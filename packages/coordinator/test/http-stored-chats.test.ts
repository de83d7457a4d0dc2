import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(1, { contextLength: 256 })
t.teardown(() => mesh[Symbol.asyncDispose]())
const { httpUrl } = mesh.coordinator

async function call(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
  const response = await fetch(`${httpUrl}${path}`, init)
  return { status: response.status, body: await response.json() }
}

async function made(fields: object): Promise<{ readonly id: string; readonly choices: unknown }> {
  const { status, body } = await call('POST', CHAT, { ...QUESTION, max_tokens: 1, ...fields })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body
}

async function listed(query = ''): Promise<string[]> {
  const { status, body } = await call('GET', `${CHAT}${query}`)
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body.data.map(({ id }: { id: string }) => id)
}

t.test('what is stored is listed, read, filed anew and deleted; nothing else is', async t => {
  const plain = await made({})
  const untold = await made({ metadata: { topic: 'a' } })
  const first = await made({ store: true, metadata: { topic: 'a', 'with space': 'é&=' } })
  const second = await made({ store: true, metadata: { topic: 'b' }, n: 2 })
  const third = await made({ store: true })
  t.same(await listed(), [first.id, second.id, third.id])
  t.same(await listed('?order=desc&limit=2'), [third.id, second.id])
  t.same(await listed(`?after=${first.id}`), [second.id, third.id])
  t.same(await listed('?metadata[topic]=a'), [first.id])
  t.same(await listed(`?${new URLSearchParams({ 'metadata[with space]': 'é&=', 'metadata[topic]': 'a' })}`), [first.id])
  t.same(await listed('?metadata[topic]=c'), [])
  t.same(await listed('?model=tiny-chat&limit=1'), [first.id])
  t.same(await listed('?model=tiny'), [])
  t.match((await call('GET', `${CHAT}?model=tiny`)).body, { first_id: '', last_id: '', has_more: false })
  const page = await call('GET', `${CHAT}?limit=2`)
  t.match(page.body, { object: 'list', first_id: first.id, last_id: second.id, has_more: true })

  const one = `${CHAT}/${first.id}`
  t.same((await call('GET', one)).body, { ...first, metadata: { topic: 'a', 'with space': 'é&=' } })
  t.match((await call('POST', one, { metadata: { topic: 'b' } })).body, { id: first.id, metadata: { topic: 'b' } })
  t.same(await listed('?metadata[topic]=b'), [first.id, second.id])
  t.same((await call('POST', one, { metadata: null })).body.metadata, {})
  t.same(await listed(), [first.id, second.id, third.id], 'still stored')
  for (const { id } of [plain, untold]) t.equal((await call('GET', `${CHAT}/${id}`)).status, 404)

  t.same((await call('DELETE', one)).body, { object: 'chat.completion.deleted', id: first.id, deleted: true })
  t.same(await listed(), [second.id, third.id])
  for (const method of ['GET', 'DELETE']) {
    t.match(await call(method, one), { status: 404, body: { error: { code: 'not_found', param: 'id' } } })
  }
  t.equal((await call('GET', `/v1/requests/${first.id.replace('chatcmpl-', 'req_')}`)).status, 404)
})

t.test('the messages of a stored chat come as they were sent, page by page', async t => {
  const parts = [
    { type: 'text', text: 'And ' },
    { type: 'text', text: 'this?' }
  ]
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'What is this?', name: 'me' },
    { role: 'assistant', content: 'That.' },
    { role: 'user', content: parts }
  ]
  const { id } = await made({ store: true, messages })
  const all = (await call('GET', `${CHAT}/${id}/messages`)).body
  t.match(all, { object: 'list', first_id: `${id}-0`, last_id: `${id}-3`, has_more: false })
  t.match(all.data, [
    { role: 'system', content: 'Be brief.', content_parts: null },
    { role: 'user', content: 'What is this?', name: 'me' },
    { role: 'assistant', content: 'That.', refusal: null },
    { role: 'user', content: null, content_parts: parts }
  ])
  const rest = (await call('GET', `${CHAT}/${id}/messages?limit=2&after=${id}-0`)).body
  t.match(rest, { data: [all.data[1], all.data[2]], has_more: true })
  const back = (await call('GET', `${CHAT}/${id}/messages?order=desc&limit=1`)).body
  t.same(back.data, [all.data[3]])
})

t.test('ensembles are stored as one, streams too, and parts are not listed', async t => {
  const before = await listed()
  const body = { ...QUESTION, max_tokens: 1, store: true, metadata: { kind: 'panel' } }
  const panel = await made({ ...body, models: ['tiny-chat', 'tiny-chat'], strategy: 'all' })
  const stream = await mesh.post({ ...body, stream: true, metadata: { kind: 'stream' } })
  const id = /chatcmpl-[0-9a-f]{32}/.exec(await stream.text())?.[0]
  t.same(await listed(), [...before, panel.id, id])
  t.match((await call('GET', `${CHAT}/${id}`)).body, { object: 'chat.completion', metadata: { kind: 'stream' } })
})

t.test('what is wrong, or somebody else’s, is refused', async t => {
  const { id } = await made({ store: true })
  const cases: readonly (readonly [method: string, path: string, body: object | undefined, param: string])[] = [
    ['GET', '?limit=0', undefined, 'limit'],
    ['GET', '?order=up', undefined, 'order'],
    ['GET', '?after=chatcmpl-1', undefined, 'after'],
    ['GET', `?after=chatcmpl-${'0'.repeat(32)}`, undefined, 'after'],
    ['GET', '?metadata[a]=1&metadata[a]=2', undefined, 'metadata[a]'],
    ['POST', `/${id}`, { metadata: { a: 1 } }, 'metadata.a'],
    ['POST', `/${id}`, {}, 'metadata'],
    ['GET', `/${id}/messages?after=x`, undefined, 'after'],
    ['POST', '', { ...QUESTION, store: true, metadata: { a: 1 } }, 'metadata.a']
  ]
  for (const [method, path, body, param] of cases) {
    t.match(
      await call(method, `${CHAT}${path}`, body),
      { status: 400, body: { error: { param } } },
      `${method} ${path}`
    )
  }
  // from the first key on, another namespace asks
  const { body: key } = await call('POST', '/v1/admin/keys', { scopes: ['admin'] })
  const { body: other } = await call(
    'POST',
    '/v1/admin/keys',
    { namespace: 'other', scopes: ['inference'] },
    { authorization: `Bearer ${key.key}` }
  )
  const theirs = { authorization: `Bearer ${other.key}` }
  t.same((await call('GET', CHAT, undefined, theirs)).body.data, [])
  t.equal((await call('GET', `${CHAT}/${id}`, undefined, theirs)).status, 404)
  t.equal((await call('DELETE', `${CHAT}/${id}`, undefined, theirs)).status, 404)
  t.equal((await call('GET', `${CHAT}?after=${id}`, undefined, theirs)).status, 400)
})
