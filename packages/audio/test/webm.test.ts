import t from 'tap'
import { DEFAULT_AUDIO_LIMITS } from '../src/audio-limits.ts'
import { elementsOf } from '../src/decoding/ebml.ts'
import { decodeHere } from './support/decode-here.ts'
import { fixture } from './support/fixtures.ts'

/** An element with a size of eight bytes. */
function element(id: number[], body: Uint8Array, size = body.length): Buffer {
  const head = Buffer.from([...id, 1, 0, 0, 0, 0, 0, 0, 0])
  head.writeUInt32BE(size, id.length + 4)
  return Buffer.concat([head, body])
}

const unknown = (id: number[]): Buffer => Buffer.from([...id, 0xff])

/** A recording of the packets of a fixture, as they are given. */
function recording(blocks: readonly Uint8Array[], live = false): Uint8Array<ArrayBuffer> {
  const track = Buffer.concat([
    element([0xd7], Buffer.of(1)),
    element([0x83], Buffer.of(2)),
    element([0x86], Buffer.from('A_OPUS')),
    element([0x63, 0xa2], Buffer.from('OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00', 'latin1'))
  ])
  const tracks = element([0x16, 0x54, 0xae, 0x6b], element([0xae], track))
  const cluster = [0x1f, 0x43, 0xb6, 0x75]
  const clusters = blocks.map(block => {
    const body = element([0xa3], block)
    return live ? Buffer.concat([unknown(cluster), body]) : element(cluster, body)
  })
  const segment = [0x18, 0x53, 0x80, 0x67]
  const body = Buffer.concat([tracks, ...clusters])
  const head = element([0x1a, 0x45, 0xdf, 0xa3], Buffer.alloc(0))
  return new Uint8Array(Buffer.concat([head, live ? Buffer.concat([unknown(segment), body]) : element(segment, body)]))
}

const block = (flags: number, ...frames: Uint8Array[]): Uint8Array =>
  Buffer.concat([Buffer.of(0x81, 0, 0, flags), ...frames])

const none = new Uint8Array(0)

/** The first packets of a fixture. */
function packets(count: number): Uint8Array[] {
  const bytes = fixture('tone-opus.webm')
  const [segment] = [...elementsOf(bytes, 0, bytes.length)].filter(({ id }) => id === 0x18538067)
  const clusters = [...elementsOf(bytes, segment?.start ?? 0, bytes.length)].filter(({ id }) => id === 0x1f43b675)
  const blocks = clusters
    .flatMap(({ start, end }) => [...elementsOf(bytes, start, end)])
    .filter(({ id }) => id === 0xa3)
  return blocks.slice(0, count).map(({ start, end }) => bytes.subarray(start + 4, end))
}

const decode = async (bytes: Uint8Array<ArrayBuffer>) => (await decodeHere(bytes, DEFAULT_AUDIO_LIMITS)).samples

t.test('frames that share a block are told apart, in every way of lacing', async t => {
  const [a = none, b = none, c = none] = packets(3)
  const expected = await decode(recording([a, b, c].map(packet => block(0, packet))))
  t.equal(expected.length, 3 * 320, '20 ms each')
  const xiph = block(2, Buffer.of(2, a.length, b.length), a, b, c)
  t.ok(a.length < 127 && b.length < 127, 'sizes of one byte')
  const ebml = block(6, Buffer.of(2, 0x80 | a.length, 0x80 | (b.length - a.length + 63)), a, b, c)
  for (const [name, laced] of Object.entries({ xiph, ebml }))
    t.strictSame(await decode(recording([laced])), expected, name)
  const even = await decode(recording([block(4, Buffer.of(1), a, a)]))
  t.strictSame(even, await decode(recording([block(0, a), block(0, a)])), 'even')
})

t.test('a live recording does not know its sizes', async t => {
  const blocks = packets(3).map(packet => block(0, packet))
  t.strictSame(await decode(recording(blocks, true)), await decode(recording(blocks)))
})

t.test('blocks of other tracks are left out', async t => {
  const blocks = packets(2).map(packet => block(0, packet))
  const other = Buffer.concat([Buffer.of(0x82, 0, 0, 0), Buffer.from('a picture')])
  t.strictSame(await decode(recording([other, ...blocks, other])), await decode(recording(blocks)))
})
