import { generateKeyPair } from '@libp2p/crypto/keys'
import { RecordEnvelope } from '@libp2p/peer-record'
import { type Advert, MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import {
  ADVERT_BYTES_MAX,
  ADVERT_TTL_MS_MAX,
  type AdvertFault,
  CLOCK_SKEW_MS,
  openAdvert,
  peerIdOf,
  sealAdvert
} from '../src/index.ts'

const privateKey = await generateKeyPair('Ed25519')
const peerId = peerIdOf(privateKey)
const issuedAtMs = 1_800_000_000_000
const ttlMs = 60_000

const advert: Advert = {
  version: 1,
  peerId,
  sequence: 5,
  issuedAtMs,
  expiresAtMs: issuedAtMs + ttlMs,
  agentVersion: '0.1.0',
  multiaddrs: ['/ip4/127.0.0.1/tcp/4701'],
  hardware: {
    platform: 'linux',
    architecture: 'x64',
    cpuModel: 'CPU',
    cpuCores: 8,
    memoryBytes: 2 ** 34,
    gpus: [],
    executionProviders: ['cpu']
  },
  memoryOfferedBytes: 2 ** 33,
  memoryFreeBytes: 2 ** 32,
  probeMsPer100M: 12.5,
  threads: 8,
  labels: { region: 'eu' },
  stages: []
}
const options = { now: issuedAtMs, expectedPeer: peerId }

function fault(expected: AdvertFault) {
  return { code: 'protocol_violation', details: { fault: expected } }
}

/** An envelope of ours around anything. */
async function seal(payload: Uint8Array, key = privateKey, domain = 'resultity-advert', type = '/resultity/advert/1') {
  const record = { domain, codec: Buffer.from(type), marshal: () => payload, equals: () => false }
  return (await RecordEnvelope.seal(record, key)).marshal()
}

function sealJson(value: unknown, ...rest: [] | [typeof privateKey]): Promise<Uint8Array> {
  return seal(Buffer.from(JSON.stringify(value)), ...rest)
}

t.test('what is sealed opens as it was', async t => {
  t.same(await openAdvert(await sealAdvert(advert, privateKey), options), advert)
  t.same(await openAdvert(await sealAdvert(advert, privateKey), { ...options, lastSequence: 4 }), advert)
})

t.test('holds until its time to live has passed, skew of clocks allowed', async t => {
  const sealed = await sealAdvert(advert, privateKey)
  const end = advert.expiresAtMs + CLOCK_SKEW_MS
  t.ok(await openAdvert(sealed, { ...options, now: end - 1 }))
  await t.rejects(openAdvert(sealed, { ...options, now: end }), fault('expired'))
  t.ok(await openAdvert(sealed, { ...options, now: issuedAtMs - CLOCK_SKEW_MS }))
  await t.rejects(openAdvert(sealed, { ...options, now: issuedAtMs - CLOCK_SKEW_MS - 1 }), fault('future'))
  const longest = { ...advert, expiresAtMs: issuedAtMs + ADVERT_TTL_MS_MAX }
  t.ok(await openAdvert(await sealAdvert(longest, privateKey), options))
  const eternal = { ...advert, expiresAtMs: issuedAtMs + ADVERT_TTL_MS_MAX + 1 }
  await t.rejects(openAdvert(await sealAdvert(eternal, privateKey), options), fault('future'))
})

t.test('replayed: the same or an older sequence is refused', async t => {
  const sealed = await sealAdvert(advert, privateKey)
  await t.rejects(openAdvert(sealed, { ...options, lastSequence: 5 }), fault('replayed'))
  await t.rejects(openAdvert(sealed, { ...options, lastSequence: 6 }), fault('replayed'))
})

t.test('foreign: of another signer, or naming another peer', async t => {
  const other = await generateKeyPair('Ed25519')
  const theirs = await sealAdvert({ ...advert, peerId: peerIdOf(other) }, other)
  await t.rejects(openAdvert(theirs, options), fault('foreign'), 'passed on by the wrong peer')
  await t.rejects(
    openAdvert(await sealJson(advert, other), { ...options, expectedPeer: peerIdOf(other) }),
    fault('foreign'),
    "in another peer's name"
  )
})

t.test('tampered: no changed byte passes', async t => {
  const sealed = await sealAdvert(advert, privateKey)
  const property = fc.asyncProperty(
    fc.nat(sealed.length - 1),
    fc.integer({ min: 1, max: 255 }),
    async (index, change) => {
      const copy = Uint8Array.from(sealed)
      copy[index] = (copy[index] ?? 0) ^ change
      try {
        // a changed tag of an unknown field may leave all that is signed as it was
        return JSON.stringify(await openAdvert(copy, options)) === JSON.stringify(advert)
      } catch (error) {
        return error instanceof MeshError && error.code === 'protocol_violation'
      }
    }
  )
  await assertProperty(property, { numRuns: 150 })
  const text = Buffer.from(sealed).toString('latin1').replace('"threads":8', '"threads":9')
  await t.rejects(openAdvert(Buffer.from(text, 'latin1'), options), fault('signature'))
})

t.test('another domain, kind, schema or size is refused', async t => {
  const json = Buffer.from(JSON.stringify(advert))
  await t.rejects(openAdvert(await seal(json, privateKey, 'libp2p-peer-record'), options), fault('signature'))
  await t.rejects(openAdvert(await seal(json, privateKey, 'resultity-advert', '/other'), options), fault('malformed'))
  await t.rejects(openAdvert(await seal(Buffer.from('{')), options), fault('malformed'))
  await t.rejects(openAdvert(await seal(Buffer.from([0xff, 0xfe])), options), fault('malformed'))
  await t.rejects(openAdvert(await sealJson({ ...advert, threads: 0 }), options), fault('schema'))
  await t.rejects(openAdvert(await sealJson({ ...advert, stages: undefined }), options), {
    ...fault('schema'),
    message: /stages/
  })
  await t.rejects(openAdvert(new Uint8Array(ADVERT_BYTES_MAX + 1), options), fault('too_large'))
  await t.rejects(openAdvert(new Uint8Array(ADVERT_BYTES_MAX), options), fault('malformed'))
  await t.rejects(openAdvert(new Uint8Array(0), options), fault('malformed'))
})

t.test('no advert brings what a terminal obeys, or what hides text', async t => {
  for (const evil of ['\x1b[2J', '\x9b8m', 'a\nb', '\x7f', '\u202e', '\u200b', '\ud800']) {
    const { hardware } = advert
    const adverts = [
      { ...advert, agentVersion: evil },
      { ...advert, multiaddrs: [evil] },
      { ...advert, labels: { region: evil } },
      { ...advert, hardware: { ...hardware, cpuModel: evil } },
      { ...advert, hardware: { ...hardware, platform: evil } },
      { ...advert, hardware: { ...hardware, executionProviders: [evil] } },
      { ...advert, hardware: { ...hardware, gpus: [{ vendor: 'V', model: evil, memoryBytes: 1 }] } }
    ]
    for (const hostile of adverts) await t.rejects(openAdvert(await sealJson(hostile), options), fault('schema'))
  }
  const cpuModel = 'Intel(R) Xeon® 处理器 – 4°'
  const honest = await sealAdvert({ ...advert, hardware: { ...advert.hardware, cpuModel } }, privateKey)
  t.match(await openAdvert(honest, options), { hardware: { cpuModel } })
})

t.test('an own advert that nobody would take is not sealed', async t => {
  await t.rejects(sealAdvert({ ...advert, threads: -1 }, privateKey), { code: 'internal' })
  const multiaddrs = new Array(16).fill('m'.repeat(512))
  const stage = {
    placementId: 'p'.repeat(64),
    manifest: 'a'.repeat(64),
    range: { first: 0, end: 1 },
    decodeMsPerLayer: 0,
    sessionsOpen: 0,
    sessionsMax: 1
  }
  await t.rejects(sealAdvert({ ...advert, multiaddrs, stages: new Array(256).fill(stage) }, privateKey), {
    code: 'internal'
  })
})
