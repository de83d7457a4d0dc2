import { openInvite } from '@resultity/mesh'
import t from 'tap'
import { startScriptedMesh } from './support/scripted-mesh.ts'

const INVITES = '/v1/admin/invites'
const mesh = await startScriptedMesh(0)
t.teardown(() => mesh[Symbol.asyncDispose]())

async function ask(method: string, path: string, body?: unknown) {
  const response = await fetch(`${mesh.coordinator.httpUrl}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  })
  return { status: response.status, body: await response.json() }
}

t.test('an invite is made, listed without its token, and revoked', async t => {
  const made = await ask('POST', INVITES, { label: 'attic', uses: 3, expires_in_seconds: 60 })
  t.match(made, { status: 200, body: { object: 'invite', label: 'attic', uses: 0, uses_max: 3, revoked_at: null } })
  const { token, ...shown } = made.body
  t.match(await openInvite(token), { id: shown.id, coordinator: mesh.coordinator.peerId, label: 'attic' })
  t.equal(shown.expires_at - shown.created_at, 60)
  t.same((await ask('GET', INVITES)).body.data, [shown])
  t.match(await ask('POST', `${INVITES}/${shown.id}/revoke`, {}), { status: 200, body: { revoked_at: Number } })
  t.match(await ask('POST', `${INVITES}/0/revoke`, {}), { status: 404, body: { error: { code: 'not_found' } } })
})

t.test('one is for one node and a day, unless more is asked for', async t => {
  const { body } = await ask('POST', INVITES)
  t.equal(body.uses_max, 1)
  t.equal(body.expires_at - body.created_at, 24 * 60 * 60)
  t.match(await ask('POST', INVITES, { uses: null }), { status: 200, body: { uses_max: null } })
})

t.test('nodes that came by one are listed, and those that did not cannot be removed', async t => {
  t.same((await ask('GET', '/v1/admin/invited-nodes')).body, { object: 'list', data: [] })
  t.match(await ask('DELETE', '/v1/admin/invited-nodes/12D3KooWnobody'), { status: 404 })
})

t.test('what is wrong is refused with the field', async t => {
  const table: [body: object, param: string][] = [
    [{ uses: 0 }, 'uses'],
    [{ uses: 10_001 }, 'uses'],
    [{ expires_in_seconds: 0 }, 'expires_in_seconds'],
    [{ expires_in_seconds: 366 * 24 * 60 * 60 }, 'expires_in_seconds'],
    [{ label: '' }, 'label'],
    [{ label: 'x'.repeat(65) }, 'label'],
    [{ label: 'a\u001b[2Jb' }, 'label']
  ]
  for (const [body, param] of table) {
    t.match(await ask('POST', INVITES, body), { status: 400, body: { error: { param } } }, JSON.stringify(body))
  }
  t.equal((await ask('POST', INVITES, { laber: 'x' })).status, 400)
})
