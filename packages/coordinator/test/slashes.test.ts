import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(1, { subclouds: { fixed: {}, other: {} } })
t.teardown(() => mesh[Symbol.asyncDispose]())
const { httpUrl } = mesh.coordinator
const question = { ...QUESTION, max_tokens: 2 }

async function ask(method: string, path: string, { body, key }: { body?: unknown; key?: string } = {}) {
  const response = await fetch(`${httpUrl}${path}`, {
    method,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

t.test('slashes that are doubled, and one at the end, do not count', async t => {
  for (const path of [
    '/v1/chat/completions/',
    '/v1//chat/completions',
    '//v1/chat/completions',
    '///v1//chat///completions//?x=1'
  ]) {
    const { status, body } = await ask('POST', path, { body: question })
    t.equal(status, 200, `${path} ${JSON.stringify(body.error ?? '')}`)
  }
  for (const path of ['/v1/models/', '//v1//models', '/v1/models//?limit=1']) {
    t.match(await ask('GET', path), { status: 200, body: { object: 'list' } }, path)
  }
  t.match(await ask('GET', '/v1//models/tiny-chat/'), { status: 200, body: { id: 'tiny-chat' } })
  t.match(await ask('GET', '/healthz/'), { status: 200 })
})

t.test('a path of a subcloud is one however it is written', async t => {
  for (const path of [
    `/subclouds/fixed/${CHAT}/`,
    `//subclouds//fixed//${CHAT}`,
    '/subclouds/fixed//v1/chat/completions'
  ]) {
    const { status, body } = await ask('POST', path, { body: question })
    t.equal(status, 200, `${path} ${JSON.stringify(body.error ?? '')}`)
    const other = await ask('POST', path, { body: { ...question, mesh: { subcloud: 'nobody' } } })
    t.match(other, { status: 400, body: { error: { param: 'mesh.subcloud' } } }, `${path} is in the subcloud`)
  }
  t.match(await ask('POST', `//subclouds//nobody${CHAT}`, { body: question }), {
    status: 404,
    body: { error: { code: 'subcloud_not_found' } }
  })
})

t.test('what is not there is told as without them', async t => {
  t.match(await ask('GET', '//v1//nothing/'), { status: 404, body: { error: { code: 'unknown_url' } } })
  t.match(await ask('PUT', '/v1//chat/completions/'), { status: 405 })
  t.match(await ask('POST', '/v1//videos/'), { status: 501 })
})

t.test('keys are asked for what the route asks, by whatever path it is reached', async t => {
  const admin = (await ask('POST', '/v1/admin/keys', { body: { scopes: ['admin'] } })).body.key
  const { key } = (
    await ask('POST', '/v1//admin//keys/', { body: { scopes: ['inference'], subclouds: ['fixed'] }, key: admin })
  ).body
  for (const path of ['/v1/admin/keys/', '//v1/admin/keys', '/v1//admin/keys']) {
    t.equal((await ask('GET', path)).status, 401, `${path} without a key`)
    t.equal((await ask('GET', path, { key })).status, 403, `${path} with a key for something else`)
    t.equal((await ask('GET', path, { key: admin })).status, 200, path)
  }
  for (const path of [`//subclouds/other${CHAT}`, `/subclouds//other/${CHAT}/`]) {
    const { status } = await ask('POST', path, { body: question, key })
    t.ok(status >= 400 && status < 500, `${path} is of another subcloud: ${status}`)
  }
  t.equal((await ask('POST', `//subclouds//fixed/${CHAT}/`, { body: question, key })).status, 200)
  t.equal((await ask('POST', `${CHAT}/`, { body: question })).status, 401)
})
