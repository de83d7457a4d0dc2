import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import t from 'tap'
import { loadIdentity, peerIdOf } from '../src/index.ts'
import { temporaryDir } from './hosts.ts'

const posix = process.platform !== 'win32'

t.test('a missing key is created, for the owner only, and is the same ever after', async t => {
  const dir = join(await temporaryDir(t), 'not', 'there', 'yet')
  const first = await loadIdentity(dir)
  t.match(peerIdOf(first), /^12D3KooW/)
  t.equal(peerIdOf(await loadIdentity(dir)), peerIdOf(first))
  t.same(await readdir(dir), ['identity.key'], 'no draft is left behind')
  if (posix) t.equal((await stat(join(dir, 'identity.key'))).mode & 0o777, 0o600)
})

t.test('processes that create it at once end up with one key', async t => {
  const dir = await temporaryDir(t)
  const keys = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(dir)))
  t.equal(new Set(keys.map(peerIdOf)).size, 1)
  t.same(await readdir(dir), ['identity.key'])
})

t.test('a key that is corrupt, of another kind, or no file is refused and left alone', async t => {
  const cases: Record<string, Uint8Array> = {
    empty: new Uint8Array(0),
    garbage: Buffer.from('not a key'),
    'cut short': privateKeyToProtobuf(await generateKeyPair('Ed25519')).subarray(0, 40),
    'of another kind': privateKeyToProtobuf(await generateKeyPair('secp256k1')),
    'far too long': new Uint8Array(5000)
  }
  for (const [name, bytes] of Object.entries(cases)) {
    const dir = await temporaryDir(t)
    const path = join(dir, 'identity.key')
    await writeFile(path, bytes, { mode: 0o600 })
    await t.rejects(
      loadIdentity(dir),
      { code: 'settings_invalid', message: /is not an Ed25519 key/, hint: /delete it/ },
      name
    )
    t.same(await readFile(path), Buffer.from(bytes), `${name}: untouched`)
  }
  const dir = await temporaryDir(t)
  await mkdir(join(dir, 'identity.key'))
  await t.rejects(loadIdentity(dir), { code: 'settings_invalid' }, 'a directory')
})

t.test('a key that others can read is refused', { skip: posix ? false : 'no file modes here' }, async t => {
  const dir = await temporaryDir(t)
  await loadIdentity(dir)
  const path = join(dir, 'identity.key')
  for (const mode of [0o640, 0o604, 0o620, 0o666]) {
    await chmod(path, mode)
    await t.rejects(loadIdentity(dir), {
      code: 'settings_invalid',
      hint: /chmod 600/,
      details: { mode: mode.toString(8) }
    })
  }
  await chmod(path, 0o400)
  t.ok(await loadIdentity(dir), 'read-only is fine')
})

t.test('a data directory that cannot be made is a clear error', async t => {
  const file = join(await temporaryDir(t), 'file')
  await writeFile(file, '')
  await t.rejects(loadIdentity(join(file, 'dir')), { code: 'settings_invalid', message: /identity\.key cannot be/ })
})
