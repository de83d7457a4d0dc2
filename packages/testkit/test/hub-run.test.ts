import t from 'tap'
import { runHub, TINY } from '../src/hub/index.ts'

/** Headers are read in pieces of this size. */
const HEAD_BYTES = 64 * 1024
const MB = 1_000_000

t.test('a coordinator reads headers alone, and a node that was killed goes on where it was', async t => {
  const shards = 2
  const report = await runHub({ shape: TINY, shards, nodes: 2, log: line => t.comment(line) })
  const small = 100_000
  t.ok(report.coordinator.bytesRead <= shards * HEAD_BYTES + small, `${report.coordinator.bytesRead} bytes`)
  t.equal(report.coordinatorAgain.bytesRead, 0, 'a coordinator that starts again asks nobody')
  t.ok(report.coordinator.diskBytes < 50 * MB)
  t.equal(report.nodes.length, 2)
  const read = report.nodes.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
  // so little of a spool is not kept over a crash: the range of the node that was killed comes twice at the most
  t.ok(read <= 2 * report.weightBytes + 3 * (shards * HEAD_BYTES + small), `${read} of ${report.weightBytes} bytes`)
  const share = report.madeBytes / report.weightBytes
  t.ok(share > 0.9 && share < 1.1, `16 bits stay 16: ${share}`)
})
