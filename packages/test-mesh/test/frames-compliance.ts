import { randomBytes } from 'node:crypto'
import { MeshError } from '@resultity/interface'
import {
  type Activations,
  BLOB_PROTOCOL,
  type ByteStream,
  blobRequestCodec,
  blobResponseCodec,
  type FrameCodec,
  FrameStream,
  floatsToHidden,
  JOB_PROTOCOL,
  jobEventCodec,
  jobRequestCodec,
  MEMBERSHIP_PROTOCOL,
  membershipCoordinatorCodec,
  membershipNodeCodec,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'
import type t from 'tap'
import { addressOf, type HostWorld, type Scope, type StartHost, settled, starterOf, until } from './host-world.ts'

type Test = typeof t

const session = Uint8Array.from(randomBytes(16))

function activations(position: number, floats: number): Activations {
  const hidden = floatsToHidden(new Float32Array(floats).fill(position))
  return { type: 'activations', session, epoch: 1, position, count: 1, hidden }
}

interface Collected<Out, In> {
  readonly frames: In[]
  readonly ended: Promise<MeshError | undefined>
  readonly stream: FrameStream<Out, In>
}

/** A frame stream that collects what comes. */
function collect<Out, In>(
  stream: ByteStream,
  codec: FrameCodec<Out, In>,
  onFrame: (frame: In) => void | Promise<void> = () => {},
  frameBytesMax = 64 * 1024 * 1024
): Collected<Out, In> {
  const { promise: ended, resolve } = Promise.withResolvers<MeshError | undefined>()
  const frames: In[] = []
  const handlers = {
    onFrame: (frame: In) => {
      frames.push(frame)
      return onFrame(frame)
    },
    onEnd: resolve
  }
  return { frames, ended, stream: new FrameStream(stream, codec, handlers, { frameBytesMax }) }
}

/** Both ends of a stream between two hosts. */
async function streamPair(
  startHost: StartHost,
  t: Scope,
  protocol = STAGE_PROTOCOL
): Promise<[ByteStream, ByteStream]> {
  const [near, far] = [await startHost(t), await startHost(t)]
  const { promise: accepted, resolve } = Promise.withResolvers<ByteStream>()
  await far.handle(protocol, resolve, { inboundStreamsMax: 1 })
  const opened = await near.open(addressOf(far), protocol)
  return [opened, await accepted]
}

/** What each protocol's accepting side makes of bytes, and how the other side reads what it is told. */
interface Acceptor {
  collect(stream: ByteStream, frameBytesMax?: number): Pick<Collected<never, unknown>, 'frames' | 'ended'>
  decodeAnswer(bytes: Uint8Array): unknown
}

function acceptor<Out, In>(codec: FrameCodec<Out, In>, peer: Pick<FrameCodec<In, Out>, 'decode'>): Acceptor {
  return {
    collect: (stream, frameBytesMax) => collect(stream, codec, undefined, frameBytesMax),
    decodeAnswer: bytes => peer.decode(bytes)
  }
}

const acceptors: Record<string, Acceptor> = {
  [STAGE_PROTOCOL]: acceptor(stageCodec, stageCodec),
  [MEMBERSHIP_PROTOCOL]: acceptor(membershipCoordinatorCodec, membershipNodeCodec),
  [JOB_PROTOCOL]: acceptor(jobEventCodec, jobRequestCodec),
  [BLOB_PROTOCOL]: acceptor(blobResponseCodec, blobRequestCodec)
}

/** Bytes as frames of one kind in, raw bytes of the answer out. */
const rawCodec: FrameCodec<Uint8Array, Uint8Array> = {
  encode: (body, headroom = 0) => [Buffer.alloc(headroom), body],
  decode: body => body
}

/** What frames on the streams of every mesh host promise. Run against libp2p and against memory. */
export function framesCompliance(t: Test, world: HostWorld): void {
  const startHost = starterOf(world)

  t.test('frames of every size arrive whole and in order', async t => {
    const [near, far] = await streamPair(startHost, t)
    const sizes = [1, 2, 511, 2048, 16_384, 65_536, 300_000, 3, 4_000_000, 5]
    const receiver = collect(far, stageCodec)
    const sender = collect(near, stageCodec)
    for (const [position, floats] of sizes.entries()) await sender.stream.send(activations(position, floats))
    await sender.stream.close()
    t.equal(await receiver.ended, undefined)
    t.same(
      receiver.frames.map(frame => frame.type === 'activations' && frame.hidden.length / 4),
      sizes
    )
    const intact = receiver.frames.every((frame, position) => {
      return (
        frame.type === 'activations' &&
        Buffer.from(frame.hidden).equals(activations(position, sizes[position] ?? 0).hidden)
      )
    })
    t.ok(intact, 'every float is what was sent')
    t.equal(await sender.ended, undefined, 'and the other side was closed in answer')
  })

  t.test('small frames in a burst, many in a packet', async t => {
    const [near, far] = await streamPair(startHost, t)
    const receiver = collect(far, stageCodec)
    const sender = collect(near, stageCodec)
    for (let position = 0; position < 5000; position++) {
      void sender.stream.send({ type: 'next', session, epoch: 1, position, token: position })
    }
    await sender.stream.close()
    t.equal(await receiver.ended, undefined)
    t.ok(receiver.frames.every((frame, index) => frame.type === 'next' && frame.token === index))
    t.equal(receiver.frames.length, 5000)
  })

  t.test('a slow reader holds the sender back; no buffer grows beyond the window', async t => {
    const [near, far] = await streamPair(startHost, t)
    const gates: PromiseWithResolvers<void>[] = []
    const receiver = collect(far, stageCodec, () => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      return gate.promise
    })
    const sender = collect(near, stageCodec)
    const floats = 64 * 1024
    const count = 100
    const frameBytes = floats * 4
    const windowBytes = 1024 * 1024
    let sent = 0
    let writeBufferMax = 0
    let readBufferMax = 0
    const sending = (async () => {
      for (; sent < count; sent++) {
        const room = sender.stream.send(activations(sent, floats))
        writeBufferMax = Math.max(writeBufferMax, near.writeBufferLength)
        await room
      }
      await sender.stream.close()
    })()
    for (let handled = 0; handled < count; handled++) {
      await until(() => gates.length > handled)
      for (let turn = 0; turn < 5; turn++) await settled()
      t.equal(gates.length, handled + 1)
      readBufferMax = Math.max(readBufferMax, far.readBufferLength)
      gates[handled]?.resolve()
    }
    await sending
    t.equal(await receiver.ended, undefined)
    t.equal(receiver.frames.length, count)
    t.ok(writeBufferMax <= frameBytes + 64, `the writer kept ${writeBufferMax} bytes`)
    t.ok(readBufferMax <= windowBytes + frameBytes, `the reader kept ${readBufferMax} bytes`)
  })

  t.test('both ways at once, and half closed', async t => {
    const [near, far] = await streamPair(startHost, t)
    const echo: Collected<StageFrame, StageFrame> = collect(far, stageCodec, frame => echo.stream.send(frame))
    const sender = collect(near, stageCodec)
    for (let position = 0; position < 200; position++) await sender.stream.send(activations(position, 2048))
    await sender.stream.close()
    t.equal(await sender.ended, undefined)
    t.equal(sender.frames.length, 200, 'the answers came after our side was closed')
    t.equal(await echo.ended, undefined)
  })

  for (const [protocol, accepting] of Object.entries(acceptors)) {
    t.test(`${protocol}: garbage, oversize and truncated frames end the stream, and the peer is told why`, async t => {
      const attacks: Record<string, { bytes: Uint8Array; code: string }> = {
        garbage: { bytes: Buffer.from('05000000ffffffffff', 'hex'), code: 'protocol_violation' },
        oversize: { bytes: Buffer.from('01100000', 'hex'), code: 'frame_too_large' },
        'not even a length': { bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'), code: 'frame_too_large' }
      }
      for (const [name, { bytes, code }] of Object.entries(attacks)) {
        const [near, far] = await streamPair(startHost, t, protocol)
        const victim = accepting.collect(far, 4096)
        const attacker = collect(near, rawCodec)
        near.send(bytes)
        t.match(await victim.ended, { code }, name)
        await attacker.ended
        const answer = attacker.frames[0]
        const told = answer === undefined ? undefined : accepting.decodeAnswer(answer)
        t.match(JSON.stringify(told), /fault|refused|error/, `${name}: told`)
        t.equal(victim.frames.length, 0)
      }
      const [near, far] = await streamPair(startHost, t, protocol)
      const victim = accepting.collect(far)
      near.send(Buffer.from('0a000000ff', 'hex'))
      await near.close()
      t.match(await victim.ended, { code: 'protocol_violation', message: /middle of a frame/ }, 'truncated')
    })
  }

  t.test('a reset, a closed host and a killed connection are told apart from a clean end', async t => {
    const [near, far] = await streamPair(startHost, t)
    const receiver = collect(far, stageCodec)
    const sender = collect(near, stageCodec)
    await sender.stream.send(activations(0, 10))
    await until(() => receiver.frames.length === 1)
    sender.stream.abort(new MeshError('canceled', 'enough'))
    t.match(await sender.ended, { code: 'canceled' })
    t.match(await receiver.ended, { code: 'peer_unreachable', message: /reset/ })
    await t.rejects(receiver.stream.send(activations(0, 1)), { code: 'peer_unreachable' })

    const [host, other] = [await startHost(t), await startHost(t)]
    const { promise: accepted, resolve } = Promise.withResolvers<ByteStream>()
    await other.handle(STAGE_PROTOCOL, resolve, { inboundStreamsMax: 1 })
    const opened = collect(await host.open(addressOf(other), STAGE_PROTOCOL), stageCodec)
    const inbound = collect(await accepted, stageCodec)
    await host.close()
    t.ok(['undefined', 'peer_unreachable'].includes(String((await inbound.ended)?.code)), 'the host closed')
    await opened.ended
    t.ok(opened.stream.closed && inbound.stream.closed, 'nobody can send any more')
  })

  t.test('a peer learns what is wrong from fail()', async t => {
    const [near, far] = await streamPair(startHost, t)
    const receiver = collect(far, stageCodec)
    const sender = collect(near, stageCodec)
    receiver.stream.fail(new MeshError('session_forbidden', 'you have no part in it', { hint: 'Go away.' }))
    t.equal(await sender.ended, undefined)
    t.match(sender.frames, [
      { type: 'fault', error: { code: 'session_forbidden', message: 'you have no part in it', hint: 'Go away.' } }
    ])
  })
}
