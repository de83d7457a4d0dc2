import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { FrameReader } from '../src/frame-reader.ts'
import { FrameStream } from '../src/index.ts'
import { body, framed, LIMITS, pair, rawCodec, receive } from './frame-pairs.ts'
import { MemoryStream } from './memory-stream.ts'

t.test('frames arrive whole and in order at every piece size', async t => {
  const sent = [body(0, 0), body(1, 1), body(3, 2), body(4, 3), body(17, 4), body(0, 0), body(40, 5)]
  const bytes = sent.reduce((sum, frame) => sum + frame.length + 4, 0)
  for (let pieceBytes = 1; pieceBytes <= bytes; pieceBytes++) {
    const { nearFrames, atFar } = pair(pieceBytes, 1 << 20)
    for (const frame of sent) void nearFrames.send(frame)
    await nearFrames.close()
    t.equal(await atFar.ended, undefined, `pieces of ${pieceBytes}: a clean end`)
    t.same(
      atFar.frames.map(frame => [...frame]),
      sent.map(frame => [...frame]),
      `pieces of ${pieceBytes}`
    )
  }
})

t.test('any frames, any pieces, any window: the same frames', async () => {
  const frames = fc.array(
    fc.uint8Array({ maxLength: 300 }).filter(frame => frame[0] !== 0xff),
    { maxLength: 12 }
  )
  const property = fc.asyncProperty(
    frames,
    fc.integer({ min: 1, max: 400 }),
    fc.integer({ min: 1, max: 400 }),
    async (sent, piece, window) => {
      const { nearFrames, atFar } = pair(piece, window)
      const together = sent.slice(0, piece % 5)
      await nearFrames.sendAll(together)
      for (const frame of sent.slice(together.length)) await nearFrames.send(frame)
      await nearFrames.close()
      const error = await atFar.ended
      return (
        error === undefined &&
        Buffer.concat(atFar.frames).equals(Buffer.concat(sent)) &&
        atFar.frames.length === sent.length
      )
    }
  )
  await assertProperty(property, { numRuns: 100 })
})

t.test('bytes are told of as they come, before their frame is there', async t => {
  const [near, far] = MemoryStream.pair({ pieceBytes: 10, windowBytes: 1000 })
  const received = receive()
  const seen: number[] = []
  void new FrameStream(
    far,
    rawCodec,
    { ...received.handlers, onBytes: () => seen.push(received.frames.length) },
    LIMITS
  )
  const nearFrames = new FrameStream(near, rawCodec, receive().handlers, LIMITS)
  await nearFrames.send(body(36, 1))
  await nearFrames.close()
  t.equal(await received.ended, undefined)
  t.same(seen, [0, 0, 0, 0])
  t.equal(received.frames.length, 1)
})

t.test('a frame in one piece is a view, one in several is put together once', t => {
  const reader = new FrameReader(10_000)
  const whole = framed(body(5000, 7))
  reader.push(whole)
  t.equal(reader.next()?.buffer, whole.buffer)
  t.equal(reader.next(), undefined)
  for (let start = 0; start < whole.length; start += 999) {
    t.equal(reader.next(), undefined)
    reader.push(whole.subarray(start, start + 999))
  }
  t.same(reader.next(), whole.subarray(4))
  t.ok(reader.empty)
  t.end()
})

t.test('frames sent together are one write where they are small, and none is sent when one may not be', async t => {
  const { near, nearFrames, atFar } = pair(1 << 20, 1 << 20)
  const writes: number[] = []
  const { send } = near
  near.send = data => {
    writes.push(data.byteLength)
    return send.call(near, data)
  }
  await nearFrames.sendAll([body(3, 1), body(0, 0), body(5, 2)])
  t.same(writes, [20])
  await t.rejects(nearFrames.sendAll([body(3, 3), body(LIMITS.frameBytesMax + 1, 4)]), { code: 'frame_too_large' })
  await nearFrames.sendAll([body(LIMITS.frameBytesMax, 5), body(1, 6)])
  await nearFrames.close()
  t.equal(await atFar.ended, undefined)
  t.same(
    atFar.frames.map(frame => frame[0]),
    [1, undefined, 2, 5, 6]
  )
})

t.test('a small payload is copied: its memory is free at once', async t => {
  const { near, nearFrames } = pair(1 << 20, 1)
  const payload = body(1000, 1)
  void nearFrames.send(payload)
  payload.fill(9)
  t.equal(near.unsentAt(500), 1)
})

t.test('a large payload is handed to the stream by reference', async t => {
  const { near, nearFrames } = pair(1 << 20, 1)
  const payload = body(100_000, 1)
  const sent = nearFrames.send(payload)
  t.ok(near.writeBufferLength > payload.length - 10, 'it waits in the stream')
  payload.fill(9)
  t.equal(near.unsentAt(50_000), 9, 'the stream sees the change')
  nearFrames.abort(new MeshError('canceled', 'test over'))
  await t.rejects(sent, { code: 'canceled' })
})

t.test('a slow handler holds the sender back, and both buffers stay small', async t => {
  const gates: PromiseWithResolvers<void>[] = []
  const frameBytes = 64 * 1024
  const { near, far, nearFrames, atFar } = pair(16 * 1024, 128 * 1024, LIMITS, () => {
    const gate = Promise.withResolvers<void>()
    gates.push(gate)
    return gate.promise
  })
  const frames = 64
  let sent = 0
  const sending = (async () => {
    for (; sent < frames; sent++) await nearFrames.send(body(frameBytes, sent))
    await nearFrames.close()
  })()
  for (let handled = 0; handled < frames; handled++) {
    await settled()
    t.equal(gates.length, handled + 1, 'never two frames at a time')
    t.ok(sent - handled < 10, 'the sender is a few frames ahead at the most')
    gates[handled]?.resolve()
  }
  await sending
  t.equal(await atFar.ended, undefined)
  t.equal(atFar.frames.length, frames)
  t.ok(near.writeBufferLengthMax <= frameBytes + 64, `writer kept ${near.writeBufferLengthMax} bytes`)
  t.ok(far.readBufferLengthMax <= 128 * 1024, `reader kept ${far.readBufferLengthMax} bytes`)
})

t.test('a connection that goes while the stream is paused ends it, after what had arrived', async t => {
  for (const remoteEnded of [true, false]) {
    const gate = Promise.withResolvers<void>()
    const { near, far, nearFrames, atFar } = pair(1 << 20, 1 << 20, LIMITS, () => gate.promise)
    for (let count = 0; count < 20; count++) void nearFrames.send(body(40_000, count))
    await settled()
    t.equal(far.readStatus, 'paused')
    if (remoteEnded) await near.close()
    await settled()
    far.breakResume = true
    gate.resolve()
    t.match(await atFar.ended, remoteEnded ? undefined : { code: 'peer_unreachable' })
    t.equal(atFar.frames.length, 20)
  }
})

t.test('many tiny pieces behind a busy handler pause the stream by their number', async t => {
  const gate = Promise.withResolvers<void>()
  const { near, far, atFar } = pair(1, 1 << 20, LIMITS, () => gate.promise)
  for (let count = 0; count < 5000; count++) near.send(framed(body(0, 0)))
  await settled()
  t.equal(far.readStatus, 'paused')
  gate.resolve()
  await near.close()
  t.equal(await atFar.ended, undefined)
  t.equal(atFar.frames.length, 5000)
})

t.test('send resolves at once while there is room, and waits for an empty queue when there is none', async t => {
  const { near, far, nearFrames } = pair(1 << 20, 1000)
  far.pause()
  t.equal(nearFrames.send(body(10, 1)), nearFrames.send(body(10, 1)), 'one promise for all, no allocation')
  let resolved = false
  const waiting = nearFrames.send(body(5000, 1)).then(() => {
    resolved = true
  })
  await settled()
  t.notOk(resolved)
  far.resume()
  await waiting
  t.equal(near.writeBufferLength, 0)
})

t.test('an aborted wait rejects; the frame still arrives', async t => {
  const { far, nearFrames, atFar } = pair(1 << 20, 100)
  far.pause()
  const abort = new AbortController()
  const waiting = nearFrames.send(body(500, 1), { signal: abort.signal })
  abort.abort(new MeshError('deadline_exceeded', 'too slow'))
  await t.rejects(waiting, { code: 'deadline_exceeded' })
  far.resume()
  await nearFrames.close()
  t.equal(await atFar.ended, undefined)
  t.equal(atFar.frames.length, 1)
})

t.test('a fault that cannot be sent off ends the stream, and no rejection is left behind', async t => {
  const unhandled: unknown[] = []
  const keep = (reason: unknown): number => unhandled.push(reason)
  process.on('unhandledRejection', keep)
  t.teardown(() => process.off('unhandledRejection', keep))
  const { near, far, nearFrames, atNear } = pair(1 << 20, 5)
  far.pause()
  near.breakClose = true
  nearFrames.fail(new MeshError('protocol_violation', 'the peer is faulty'))
  t.match(await atNear.ended, { code: 'protocol_violation' })
  await new Promise(setImmediate)
  t.equal(near.status, 'aborted', 'the stream was cut')
  t.same(unhandled, [])
})

t.test('a peer that does not read is given up at the limit', async t => {
  const { far, nearFrames, atNear } = pair(1 << 20, 100, { frameBytesMax: 1000, queuedBytesMax: 2000 })
  far.pause()
  for (let count = 0; count < 3; count++) void nearFrames.send(body(1000, 1))
  await t.rejects(nearFrames.send(body(1, 1)), { code: 'resource_exhausted' })
  t.match(await atNear.ended, { code: 'resource_exhausted' })
  t.equal(atNear.endCalls, 1)
})

t.test('limits', async t => {
  t.test('a frame at the limit passes, one byte more is refused before its body comes', async t => {
    const { near, atFar, atNear, farFrames } = pair(1 << 20, 1 << 20, { frameBytesMax: 100 })
    near.send(framed(body(100, 1)))
    near.send(framed(body(101, 1)).subarray(0, 4))
    t.match(await atFar.ended, { code: 'frame_too_large', details: { bytes: 101, bytesMax: 100 } })
    t.equal(atFar.frames.length, 1)
    t.ok(farFrames.closed)
    t.equal(await atNear.ended, undefined)
    t.equal(Buffer.from(atNear.frames[0] ?? []).toString(), 'frame_too_large', 'the peer is told')
  })
  t.test('its header may come in pieces', async t => {
    const { near, atFar } = pair(1, 1 << 20, { frameBytesMax: 100 })
    near.send(Buffer.from([0xff, 0xff, 0xff, 0xff]))
    t.match(await atFar.ended, { code: 'frame_too_large', details: { bytes: 0xffff_ffff } })
  })
  t.test('the sender refuses its own too', async t => {
    const { nearFrames, atFar } = pair(1 << 20, 1 << 20, { frameBytesMax: 100 })
    await t.rejects(nearFrames.send(body(101, 1)), { code: 'frame_too_large' })
    await nearFrames.send(body(100, 1))
    await nearFrames.close()
    t.equal(await atFar.ended, undefined, 'and stays usable')
    t.equal(atFar.frames.length, 1)
  })
})

t.test('ends', async t => {
  const cut = framed(body(10, 1))
  for (let kept = 1; kept < cut.length; kept++) {
    const { near, atFar } = pair(1 << 20, 1 << 20)
    near.send(cut.subarray(0, kept))
    await near.close()
    t.match(await atFar.ended, { code: 'protocol_violation' }, `cut after ${kept} of ${cut.length} bytes`)
    t.equal(atFar.endCalls, 1)
  }
  t.test('garbage is a violation, and the peer is told', async t => {
    const { nearFrames, atNear, atFar } = pair(1 << 20, 1 << 20)
    await nearFrames.send(body(3, 0xff))
    t.match(await atFar.ended, { code: 'protocol_violation' })
    t.equal(await atNear.ended, undefined)
    t.equal(Buffer.from(atNear.frames[0] ?? []).toString(), 'protocol_violation')
  })
  t.test('a handler that throws or rejects ends the stream with its error', async t => {
    const failure = new MeshError('session_forbidden', 'no part in it')
    for (const onFrame of [
      () => Promise.reject(failure),
      () => {
        throw failure
      }
    ]) {
      const { nearFrames, atFar } = pair(1 << 20, 1 << 20, LIMITS, onFrame)
      await nearFrames.send(body(1, 1))
      t.equal(await atFar.ended, failure)
    }
  })
  t.test('a reset is peer_unreachable; frames before it were handed out', async t => {
    const { near, nearFrames, atFar } = pair(1 << 20, 1 << 20)
    await nearFrames.send(body(1, 1))
    await settled()
    near.abort(new Error('gone'))
    t.match(await atFar.ended, { code: 'peer_unreachable' })
    t.equal(atFar.frames.length, 1)
    t.equal(atFar.endCalls, 1)
  })
  t.test('a lost connection is peer_unreachable', async t => {
    const { far, atFar, farFrames } = pair(1 << 20, 1 << 20)
    far.lose()
    t.match(await atFar.ended, { code: 'peer_unreachable' })
    await t.rejects(farFrames.send(body(1, 1)), { code: 'peer_unreachable' })
  })
  t.test('a reset after the peer has ended its side loses nothing', async t => {
    const gate = Promise.withResolvers<void>()
    const { near, nearFrames, atFar } = pair(1 << 20, 1 << 20, LIMITS, () => gate.promise)
    await nearFrames.send(body(1, 1))
    await nearFrames.send(body(1, 2))
    await nearFrames.close()
    await settled()
    near.abort(new Error('reads no more'))
    await settled()
    gate.resolve()
    t.equal(await atFar.ended, undefined)
    t.equal(atFar.frames.length, 2)
  })
  t.test('a stream that ended before it was wrapped reports its end', async t => {
    const [near, far] = MemoryStream.pair({ pieceBytes: 10, windowBytes: 1000 })
    near.send(framed(body(1, 1)))
    await near.close()
    await settled()
    const received = receive()
    void new FrameStream(far, rawCodec, received.handlers, LIMITS)
    t.equal(received.endCalls, 0, 'not before the constructor has returned')
    t.equal(await received.ended, undefined)
    t.equal(received.frames.length, 1)
    far.lose()
    const late = receive()
    void new FrameStream(far, rawCodec, late.handlers, LIMITS)
    t.match(await late.ended, { code: 'peer_unreachable' })
  })
  t.test('the own side is closed in answer, unless half-open is allowed', async t => {
    const answered = pair(1 << 20, 1 << 20)
    await answered.nearFrames.close()
    t.equal(await answered.atNear.ended, undefined)
    t.ok(answered.farFrames.closed)
    const halfOpen = pair(1 << 20, 1 << 20, { ...LIMITS, allowHalfOpen: true })
    await halfOpen.nearFrames.close()
    await halfOpen.atFar.ended
    await halfOpen.farFrames.send(body(2, 2))
    await halfOpen.farFrames.close()
    t.equal(await halfOpen.atNear.ended, undefined)
    t.equal(halfOpen.atNear.frames.length, 1, 'an answer after the question has ended')
  })
  t.test('after close: sends are refused, closing again does nothing', async t => {
    const { nearFrames } = pair(1 << 20, 1 << 20)
    await nearFrames.close()
    await nearFrames.close()
    await t.rejects(nearFrames.send(body(1, 1)), { code: 'unavailable' })
  })
  t.test('abort reports once, on both sides', async t => {
    const { nearFrames, atNear, atFar } = pair(1 << 20, 1 << 20)
    nearFrames.abort(new MeshError('canceled', 'enough'))
    nearFrames.abort(new MeshError('internal', 'again'))
    t.match(await atNear.ended, { code: 'canceled' })
    t.match(await atFar.ended, { code: 'peer_unreachable' })
    t.equal(atNear.endCalls, 1)
  })
  t.test('a signal aborts it, also one that has aborted, and none that it has outlived', async t => {
    const reason = new MeshError('deadline_exceeded', 'too late')
    const ending = new AbortController()
    const [later, before, outlived] = [pair(9, 1000), pair(9, 1000), pair(9, 1000)]
    later.nearFrames.abortOn(ending.signal)
    outlived.nearFrames.abortOn(ending.signal)[Symbol.dispose]()
    ending.abort(reason)
    before.nearFrames.abortOn(ending.signal)
    for (const { atNear, atFar } of [later, before]) {
      t.equal(await atNear.ended, reason)
      t.match(await atFar.ended, { code: 'peer_unreachable' })
    }
    t.equal(outlived.atNear.endCalls, 0)
    t.notOk(outlived.nearFrames.closed)
  })
})

t.test('random bytes never do more than end the stream', async () => {
  const property = fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 10 }), async pieces => {
    const { near, atFar } = pair(7, 1 << 20, { frameBytesMax: 64 })
    for (const piece of pieces) if (near.status === 'open' && piece.length > 0) near.send(piece)
    await near.close()
    const error = await atFar.ended
    return atFar.endCalls === 1 && (error === undefined || error instanceof MeshError)
  })
  await assertProperty(property, { numRuns: 300 })
})

/** Lets everything run that is ready to. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
