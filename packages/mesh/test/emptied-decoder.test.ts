import { LengthPrefixedDecoder } from '@libp2p/utils'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { stopDecodersOnceEmptied } from '../src/tuning/emptied-decoder.ts'

let asked = 0
/** Two bytes, as noise's. */
function decoder(): LengthPrefixedDecoder {
  return new LengthPrefixedDecoder({
    lengthDecoder(data) {
      asked++
      if (data.byteLength < 2) throw new RangeError('too short')
      const [high = 0, low = 0] = data.subarray(0, 2)
      return high * 256 + low
    },
    encodingLength: () => 2
  })
}

function framed(message: Uint8Array): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

function decodeAll(pieces: readonly Uint8Array[]): Buffer[] {
  const one = decoder()
  return pieces.flatMap(piece => Array.from(one.decode(piece), message => Buffer.from(message.subarray())))
}

t.test('a decoder asks for no length where nothing is left', t => {
  const message = framed(new Uint8Array(20))
  decodeAll([message, message])
  t.equal(asked, 4, 'as libp2p has it')
  stopDecodersOnceEmptied()
  stopDecodersOnceEmptied()
  asked = 0
  decodeAll([message, message])
  t.equal(asked, 2)
  t.end()
})

t.test('the same messages, cut anywhere', t => {
  const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 })
  assertProperty(
    fc.property(messages, fc.integer({ min: 1, max: 60 }), (messages, pieceBytes) => {
      const bytes = Buffer.concat(messages.map(framed))
      const pieces = []
      for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes))
      const decoded = decodeAll(pieces)
      return decoded.length === messages.length && decoded.every((one, index) => one.equals(messages[index] ?? one))
    })
  )
  t.end()
})
