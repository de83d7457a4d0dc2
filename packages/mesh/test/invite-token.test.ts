import { generateKeyPair } from '@libp2p/crypto/keys'
import { RecordEnvelope } from '@libp2p/peer-record'
import type { Invite } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { INVITE_CHARACTERS_MAX, isInviteToken, openInvite, peerIdOf, requireCurrent, sealInvite } from '../src/index.ts'

const privateKey = await generateKeyPair('Ed25519')
const invite: Invite = {
  version: 1,
  id: '0123456789abcdef',
  secret: 'S'.repeat(43),
  network: 'f'.repeat(32),
  coordinator: peerIdOf(privateKey),
  multiaddrs: ['/ip4/192.0.2.7/tcp/4001'],
  expiresAtMs: 1_800_000_000_000,
  label: 'attic'
}
const token = await sealInvite(invite, privateKey)

t.test('an invite is read back as it was made, and can be pasted', async t => {
  t.same(await openInvite(token), invite)
  t.match(token, /^rinvite_[A-Za-z0-9_-]+$/)
  t.equal(isInviteToken(token), true)
  t.equal(isInviteToken('/ip4/192.0.2.7/tcp/4001'), false)
})

t.test('the largest that can be made is no longer than may be', async t => {
  const label = 'x'.repeat(64)
  const multiaddrs = Array.from({ length: 8 }, () => `/dns/${'a'.repeat(251)}`)
  const largest = await sealInvite({ ...invite, label, multiaddrs }, privateKey)
  t.ok(largest.length <= INVITE_CHARACTERS_MAX)
  t.match(await openInvite(largest), { label })
})

t.test('one that was changed anywhere is refused, where it would say anything else', async t => {
  await assertProperty(
    fc.asyncProperty(fc.nat({ max: token.length - 9 }), fc.constantFrom('A', 'z', '9', '_'), async (index, by) => {
      const at = index + 8
      if (token[at] === by) return
      const changed = token.slice(0, at) + by + token.slice(at + 1)
      const code = await openInvite(changed).then(
        opened => (JSON.stringify(opened) === JSON.stringify(invite) ? 'the same' : 'taken'),
        (error: { code: string }) => error.code
      )
      if (!['invite_invalid', 'invite_foreign', 'the same'].includes(code)) throw new Error(`${at}: ${code}`)
    })
  )
  t.pass('in every case')
})

t.test('what is none is refused, by what is wrong with it', async t => {
  const seal = async (payload: Uint8Array, { domain = 'resultity-invite', type = '/resultity/invite/1' } = {}) => {
    const record = { domain, codec: Buffer.from(type), marshal: () => payload, equals: () => false }
    const bytes = (await RecordEnvelope.seal(record, privateKey)).marshal()
    return `rinvite_${Buffer.from(bytes).toString('base64url')}`
  }
  const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
  const stranger = await generateKeyPair('Ed25519')
  const table: [name: string, text: string, code: string][] = [
    ['nothing', '', 'invite_invalid'],
    ['a prefix', 'rinvite_', 'invite_invalid'],
    ['half of one', token.slice(0, 100), 'invite_invalid'],
    ['with a line break', `${token}\n`, 'invite_invalid'],
    ['too long', `rinvite_${'A'.repeat(INVITE_CHARACTERS_MAX)}`, 'invite_invalid'],
    ['of another domain', await seal(json(invite), { domain: 'resultity-advert' }), 'invite_invalid'],
    ['of another type', await seal(json(invite), { type: '/resultity/advert/1' }), 'invite_invalid'],
    ['not JSON', await seal(Buffer.from('{')), 'invite_invalid'],
    ['of another form', await seal(json({ ...invite, secret: 'short' })), 'invite_invalid'],
    ['without an address', await seal(json({ ...invite, multiaddrs: [] })), 'invite_invalid'],
    ['signed by a stranger', await sealInvite(invite, stranger), 'invite_foreign']
  ]
  for (const [name, text, code] of table) await t.rejects(openInvite(text), { code }, name)
  await t.rejects(sealInvite({ ...invite, secret: '' }, privateKey), { code: 'internal' })
})

t.test('it holds until its end, and not a moment longer', async t => {
  t.doesNotThrow(() => requireCurrent(invite, invite.expiresAtMs - 1))
  t.throws(() => requireCurrent(invite, invite.expiresAtMs), { code: 'invite_expired', message: /2027-01-15/ })
})
