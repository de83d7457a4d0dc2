import { mock } from 'node:test'
import t from 'tap'
import { FrameStream, type FrameStreamInit, ReceiveBudgets } from '../src/index.ts'
import { body, framed, LIMITS, rawCodec, receive } from './frame-pairs.ts'
import { MemoryStream } from './memory-stream.ts'

/** A reading end with these limits, and the raw stream to it. */
function reader(init: Partial<FrameStreamInit>, onFrame?: () => void | Promise<void>) {
  const [near, far] = MemoryStream.pair({ pieceBytes: 1 << 20, windowBytes: 1 << 20 })
  const received = receive(onFrame)
  const frames = new FrameStream(far, rawCodec, received.handlers, { ...LIMITS, ...init })
  return { near, frames, received }
}

const firstFrame = { bytesMax: 100, timeoutMs: 60_000 }

t.test('the first frame is small, later ones may be large', async t => {
  const good = reader({ firstFrame })
  good.near.send(framed(body(100, 1)))
  good.near.send(framed(body(5000, 1)))
  await good.near.close()
  t.equal(await good.received.ended, undefined)
  t.same(
    good.received.frames.map(frame => frame.length),
    [100, 5000]
  )
  const bad = reader({ firstFrame })
  bad.near.send(framed(body(101, 1)).subarray(0, 4))
  t.match(await bad.received.ended, { code: 'frame_too_large', details: { bytesMax: 100 } })
})

t.test('a stream on which nothing is said ends by its deadline; one that spoke does not', t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const silent = reader({ firstFrame: { bytesMax: 100, timeoutMs: 5000 } })
  const half = reader({ firstFrame: { bytesMax: 100, timeoutMs: 5000 } })
  half.near.send(framed(body(50, 1)).subarray(0, 20))
  mock.timers.tick(4999)
  t.notOk(silent.frames.closed)
  mock.timers.tick(1)
  t.ok(silent.frames.closed)
  t.ok(half.frames.closed, 'half a frame is none')
  t.end()
})

t.test('a deadline that has been met passes', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { near, frames, received } = reader({ firstFrame: { bytesMax: 100, timeoutMs: 5000 } })
  near.send(framed(body(50, 1)))
  while (received.frames.length === 0) await Promise.resolve()
  mock.timers.tick(100_000)
  t.notOk(frames.closed)
})

t.test('a handler may say how large the next frames may be', async t => {
  const { near, received, frames } = reader({ firstFrame }, () => frames.limitFrames(200))
  near.send(framed(body(10, 1)))
  near.send(framed(body(200, 1)))
  near.send(framed(body(201, 1)))
  t.match(await received.ended, { code: 'frame_too_large', details: { bytesMax: 200 } })
  t.equal(received.frames.length, 2)
})

t.test('received frames may have a limit of their own', async t => {
  const { near, received, frames } = reader({ receivedBytesMax: 10 })
  await frames.send(body(500, 1))
  near.send(framed(body(11, 1)))
  t.match(await received.ended, { code: 'frame_too_large' })
})

t.test('half-sent frames of a peer share a budget, and give it back however they end', async t => {
  const budgets = new ReceiveBudgets(peerId => (peerId === 'member' ? 1 << 20 : 1000))
  const halves = ['whole', 'reset', 'ended'].map(id => {
    const one = reader({ budget: budgets.of('stranger') })
    one.near.send(framed(body(300, 1)).subarray(0, 50))
    return { id, ...one }
  })
  while (budgets.used('stranger') < 900) await Promise.resolve()
  const tooMany = reader({ budget: budgets.of('stranger') })
  tooMany.near.send(framed(body(101, 1)).subarray(0, 50))
  t.match(await tooMany.received.ended, { code: 'resource_exhausted' })
  const other = reader({ budget: budgets.of('another') })
  other.near.send(framed(body(900, 1)))
  await other.near.close()
  t.equal(await other.received.ended, undefined, 'another peer has its own')

  halves[0]?.near.send(framed(body(300, 1)).subarray(50))
  await halves[0]?.near.close()
  halves[1]?.near.abort(new Error('gone'))
  halves[2]?.frames.abort(new Error('enough'))
  await Promise.all(halves.map(({ received }) => received.ended))
  t.equal(budgets.used('stranger'), 0)
  t.equal(budgets.used('another'), 0)
})
