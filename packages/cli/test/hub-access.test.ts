import { join } from 'node:path'
import t from 'tap'
import { hubAccess } from '../src/models/hub-access.ts'

const NONE = {}

t.test('the hub is that of the setting, else that of the environment, else the public one', async t => {
  t.strictSame(await hubAccess(NONE, {}), {})
  t.strictSame(await hubAccess(NONE, { HF_ENDPOINT: '', HF_TOKEN: '' }), {})
  t.strictSame(await hubAccess(NONE, { HF_ENDPOINT: 'https://hub.example', HF_TOKEN: ' hf_a\n' }), {
    url: 'https://hub.example',
    token: 'hf_a'
  })
  const set = { ...NONE, hub: 'http://127.0.0.1:8080' }
  t.strictSame(await hubAccess(set, { HF_ENDPOINT: 'https://hub.example' }), { url: 'http://127.0.0.1:8080' })
  t.strictSame(await hubAccess({ ...NONE, hub: 'off' }, { HF_ENDPOINT: 'https://hub.example' }), {
    url: 'https://hub.example'
  })
})

t.test('a token comes from its file or the environment, and is one word', async t => {
  const directory = t.testdir({ token: 'hf_b\n', prose: 'not a token at all' })
  const from = (name: string) => ({ ...NONE, hubTokenFile: join(directory, name) })
  t.strictSame(await hubAccess(from('token'), { HF_TOKEN: 'hf_a' }), { token: 'hf_b' })
  const invalid = { code: 'settings_invalid', hint: /./ }
  await t.rejects(hubAccess(from('prose'), {}), invalid)
  await t.rejects(hubAccess(from('missing'), {}), invalid)
  await t.rejects(hubAccess(NONE, { HF_TOKEN: 'two words' }), invalid)
  await t.rejects(hubAccess(NONE, { HF_TOKEN: 'x'.repeat(600) }), invalid)
  for (const endpoint of ['hub.example', 'ftp://hub.example', 'off', 'file:///etc']) {
    await t.rejects(hubAccess(NONE, { HF_ENDPOINT: endpoint }), invalid, endpoint)
  }
})
