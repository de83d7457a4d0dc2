import { randomBytes } from 'node:crypto'
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'
import { YamuxStream } from '@chainsafe/libp2p-yamux/stream'
import { type ByteStream, STAGE_PROTOCOL } from '@resultity/wire'
import t, { type Test } from 'tap'
import { frameCipher } from '../src/tuning/frame-cipher.ts'
import { addressOf, startHost, until } from './hosts.ts'

/** Bytes of the list or array that a cipher gives. */
function bytesOf(data: { subarray(): Uint8Array }): Buffer {
  return Buffer.from(data.subarray())
}

t.test('whichever cipher a length gets, the bytes are those of the other', t => {
  const key = randomBytes(32)
  const nonce = randomBytes(12)
  const nothing = new Uint8Array(0)
  for (const length of [0, 1, 60, 1199, 1200, 8227, 12_271, 12_272, 12_288, 12_289, 65_519]) {
    const plain = randomBytes(length)
    const sealed = bytesOf(frameCipher.chaCha20Poly1305Encrypt(plain, nonce, nothing, key))
    t.same(sealed, bytesOf(defaultCrypto.chaCha20Poly1305Encrypt(plain, nonce, nothing, key)), `${length} bytes sealed`)
    const opened = frameCipher.chaCha20Poly1305Decrypt(Buffer.from(sealed), nonce, nothing, key)
    t.same(bytesOf(opened), plain, `${length} bytes opened`)
    const forged = Buffer.from(sealed)
    forged.writeUInt8(forged.readUInt8(0) ^ 1, 0)
    t.throws(() => frameCipher.chaCha20Poly1305Decrypt(forged, nonce, nothing, key), `${length} bytes forged`)
  }
  t.end()
})

/** Grants that a sender of 128 frames of 8 KB is given, one after the other has been received. */
async function grantsFor(t: Test, tuning: boolean): Promise<number> {
  const [near, far] = [await startHost(t), await startHost(t, { tuning })]
  const { promise: accepted, resolve } = Promise.withResolvers<ByteStream>()
  await far.handle(STAGE_PROTOCOL, resolve, { inboundStreamsMax: 1 })
  const sender = await near.open(addressOf(far), STAGE_PROTOCOL)
  const receiver = await accepted
  let received = 0
  receiver.addEventListener('message', ({ data }) => {
    received += data.byteLength
  })
  if (!(sender instanceof YamuxStream)) throw new Error('streams are of yamux')
  let grants = 0
  const handle = sender.handleWindowUpdate.bind(sender)
  sender.handleWindowUpdate = frame => {
    if (frame.header.length > 0) grants++
    handle(frame)
  }
  const frame = new Uint8Array(8 * 1024)
  for (let sent = frame.length; sent <= 1024 * 1024; sent += frame.length) {
    sender.send(frame)
    await until(() => received === sent)
  }
  sender.abort(new Error('done'))
  return grants
}

t.test('a receiver grants more room now and then, not after every frame', async t => {
  const grants = await grantsFor(t, true)
  t.ok(grants >= 3, 'there was always room')
  t.ok(grants <= 9, `128 frames, ${grants} grants`)
})

t.test('without tuning libp2p grants as it does', async t => {
  const grants = await grantsFor(t, false)
  t.ok(grants > 64, `128 frames, ${grants} grants`)
})
