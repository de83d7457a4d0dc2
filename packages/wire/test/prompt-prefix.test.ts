import t from 'tap'
import { resultity } from '#gen'
import { PREFIX_BLOCKS_MAX, stageCodec } from '../src/index.ts'

const wire = resultity.stage.v1.StageFrame
const session = new Uint8Array(16)
const least = { end: 1, promptCount: 1, tokensMax: 1, prefillChunk: 1, leaseMs: 1 }
const open = { protocolVersion: 1, session, placementId: 'p', ...least, sampling: { topP: 1 } }

t.test('names are whole, and no more of them than there may be', t => {
  const decode = (bytes: number) =>
    stageCodec.decode(wire.encode({ open: { ...open, prefix: new Uint8Array(bytes) } }).finish())
  const most = decode(16 * PREFIX_BLOCKS_MAX)
  t.match(most, { type: 'open', prefix: { afresh: false } })
  t.equal(most.type === 'open' && most.prefix?.blocks.length, PREFIX_BLOCKS_MAX)
  t.notMatch(decode(0), { prefix: {} }, 'nothing is to be kept')
  for (const bytes of [1, 31, 16 * (PREFIX_BLOCKS_MAX + 1)]) {
    t.throws(() => decode(bytes), { code: 'protocol_violation', message: /open\.prefix has/ }, `${bytes} bytes`)
  }
  t.end()
})

t.test('nothing is kept of positions that no prompt has', t => {
  const cases: Record<string, resultity.stage.v1.StageFrame.$Properties> = {
    opened: { opened: { session, kept: 0x8000_0000 } },
    prompt: { prompt: { session, tokens: [1], kept: 0x8000_0000 } }
  }
  for (const [id, frame] of Object.entries(cases)) {
    t.throws(() => stageCodec.decode(wire.encode(frame).finish()), { code: 'protocol_violation' }, id)
  }
  t.end()
})
