import t from 'tap'
import { LINK_MS, PictureLinks } from '../src/picture-links.ts'

let nowMs = 1_000_000
const clock = { now: () => nowMs }
const links = new PictureLinks({ clock, secret: Buffer.alloc(32, 1) })
const file = { id: 'file-1', namespace: 'mine' }

function proofOf(link: string) {
  const { searchParams } = new URL(link)
  return { expires: Number(searchParams.get('expires')), signature: searchParams.get('signature') ?? '' }
}

t.test('a link is good until it expires', async t => {
  const link = links.link(file, 'https://here')
  t.match(link, /^https:\/\/here\/v1\/images\/files\/file-1\?expires=4600&signature=[\w-]{43}$/)
  const proof = proofOf(link)
  links.verify(file, proof)
  nowMs += LINK_MS - 1
  links.verify(file, proof)
  nowMs += 1
  t.throws(() => links.verify(file, proof), { code: 'permission_denied', message: /expired/ })
  nowMs = 1_000_000
})

t.test('a link is for one file of one namespace, and made here', async t => {
  const proof = proofOf(links.link(file, 'https://here'))
  const others = new PictureLinks({ clock, secret: Buffer.alloc(32, 2) })
  const wrong = { code: 'permission_denied', message: /not made here/ }
  t.throws(() => links.verify({ ...file, id: 'file-2' }, proof), wrong)
  t.throws(() => links.verify({ ...file, namespace: 'theirs' }, proof), wrong)
  t.throws(() => links.verify(file, { ...proof, expires: proof.expires + 1 }), wrong)
  t.throws(() => links.verify(file, { ...proof, signature: '' }), wrong)
  t.throws(() => links.verify(file, { ...proof, signature: 'ä'.repeat(43) }), wrong)
  t.throws(() => links.verify(file, proofOf(others.link(file, 'https://here'))), wrong)
})
