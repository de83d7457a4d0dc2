import t from 'tap'
import { formatReset } from '../src/rate-limit-headers.ts'

t.test('times are written as OpenAI writes them', async t => {
  for (const [ms, text] of [
    [0, '0ms'],
    [0.2, '1ms'],
    [999, '999ms'],
    [1001, '2s'],
    [60_000, '1m0s']
  ] as const) {
    t.equal(formatReset(ms), text)
  }
})
