import { identityFromSeed } from '@resultity/mesh'
import { type ByteStream, FrameStream, type StageFrame, stageCodec } from '@resultity/wire'
import t from 'tap'
import { createMemoryHost, type MemoryHost, SeededRandom, SimulatedNetwork, VirtualScheduler } from '../src/index.ts'

const PROTOCOL = '/test/frames/1.0.0'
const session = new Uint8Array(16)

/** Two hosts 20 ms apart, on virtual time. */
async function world(seed = 1) {
  const random = new SeededRandom(seed)
  const scheduler = new VirtualScheduler({ seed })
  const network = new SimulatedNetwork({ latencyMs: () => 20, bytesPerMs: 1000, deadAfterMs: 49_000 })
  const start = async (address: string): Promise<MemoryHost> =>
    createMemoryHost(network, {
      privateKey: await identityFromSeed(random.bytes(32)),
      listen: [`/ip4/${address}/tcp/4701`],
      agent: 'resultity-node/test',
      scheduler: scheduler.process()
    })
  const [near, far] = [await start('10.0.0.1'), await start('10.0.0.2')]
  const got: string[] = []
  const inbound: FrameStream<StageFrame, StageFrame>[] = []
  const frames = (stream: ByteStream, name: string) =>
    new FrameStream<StageFrame, StageFrame>(
      stream,
      stageCodec,
      {
        onFrame: frame =>
          void got.push(
            `${name}: ${frame.type === 'next' ? frame.position : frame.type} at ${Math.floor(scheduler.elapsedMs)}`
          ),
        onEnd: error =>
          void got.push(`${name} ended at ${Math.floor(scheduler.elapsedMs)}: ${error?.code ?? 'cleanly'}`)
      },
      { frameBytesMax: 1 << 20, scheduler: far.scheduler }
    )
  await far.handle(PROTOCOL, stream => void inbound.push(frames(stream, 'far')), { inboundStreamsMax: 8 })
  const opening = near
    .open({ peerId: far.peerId, multiaddrs: far.multiaddrs() }, PROTOCOL)
    .then(stream => frames(stream, 'near'))
  const outcome = { stream: undefined as FrameStream<StageFrame, StageFrame> | undefined }
  void opening.then(
    stream => {
      outcome.stream = stream
    },
    () => {}
  )
  return { scheduler, network, near, far, got, inbound, opening, outcome }
}

async function connected() {
  const all = await world()
  await all.scheduler.run(() => all.outcome.stream !== undefined, 1000)
  const { stream } = all.outcome
  if (stream === undefined) throw new Error('no stream was opened')
  const send = (position: number): void => void stream.send({ type: 'next', session, epoch: 1, position, token: 1 })
  return { ...all, stream, send }
}

t.test(
  'distance takes time: a connection a round trip, a stream another, bytes as long as the link is slow',
  async t => {
    const { scheduler, stream, send, got } = await connected()
    t.equal(scheduler.elapsedMs, 80)
    send(0)
    void stream.send({ type: 'prompt', session, epoch: 1, tokens: Array.from({ length: 10_000 }, () => 300) })
    send(1)
    await scheduler.run(() => got.length === 3, 1000)
    t.match(got[0], /^far: 0 at 100/)
    t.match(got[1], /^far: prompt at 1[12]\d/, '20 kB at 1 MB/s')
    t.match(got[2], /^far: 1 at 1[12]\d/, 'not before what was sent earlier')
  }
)

t.test('a dropped connection ends at both ends, and can be made anew', async t => {
  const { scheduler, network, near, far, got } = await connected()
  network.drop(near.peerId, far.peerId)
  await scheduler.run(() => got.length === 2, 1000)
  t.same(got, ['near ended at 80: peer_unreachable', 'far ended at 80: peer_unreachable'])
  const again = near.open({ peerId: far.peerId, multiaddrs: far.multiaddrs() }, PROTOCOL)
  await scheduler.run(() => false, 1000)
  t.equal((await again).status, 'open')
})

t.test('a cut link can be dialled when it is healed', async t => {
  const { scheduler, network, near, far } = await connected()
  network.cut(near.peerId, far.peerId)
  const address = { peerId: far.peerId, multiaddrs: far.multiaddrs() }
  const failing = t.rejects(near.open(address, PROTOCOL), { code: 'peer_unreachable', message: /EHOSTUNREACH/ })
  await scheduler.run(() => false, 1000)
  await failing
  network.heal(near.peerId, far.peerId)
  const opening = near.open(address, PROTOCOL)
  await scheduler.run(() => false, 1000)
  t.equal((await opening).status, 'open')
})

t.test('on a stalled link what was sent waits until it is healed, the other way goes on', async t => {
  const { scheduler, network, near, far, send, got, inbound } = await connected()
  network.stall(near.peerId, far.peerId)
  send(0)
  await inbound[0]?.send({ type: 'next', session, epoch: 1, position: 7, token: 1 })
  await scheduler.run(() => false, 10_000)
  t.same(got, ['near: 7 at 100'])
  network.heal(near.peerId, far.peerId)
  await scheduler.run(() => got.length === 2, 1000)
  t.match(got[1], /^far: 0 at 101\d\d/)
})

t.test('a link that stays stalled is given up by both, and a dial over it ends at its deadline', async t => {
  const { scheduler, network, near, far, send, got } = await connected()
  network.stall(near.peerId, far.peerId)
  send(0)
  await scheduler.run(() => got.length === 2, 60_000)
  t.same(got, ['near ended at 49080: peer_unreachable', 'far ended at 49080: peer_unreachable'])
  const dialling = t.rejects(near.open({ peerId: far.peerId, multiaddrs: far.multiaddrs() }, PROTOCOL), {
    code: 'deadline_exceeded'
  })
  await scheduler.run(() => false, 20_000)
  await dialling
})

t.test('a killed process is missed at once; a hanging one is only silent', async t => {
  const { scheduler, network, far, send, got } = await connected()
  const process = far.scheduler
  if (!('hang' in process)) throw new Error('it lives in no virtual process')
  const { hang, resume } = process as ReturnType<VirtualScheduler['process']>
  hang.call(process)
  send(0)
  await scheduler.run(() => false, 5000)
  t.same(got, [])
  resume.call(process)
  await scheduler.run(() => got.length === 1, 1)
  network.kill(far)
  await scheduler.run(() => got.length === 2, 1000)
  t.match(got[1], /^near ended at 51\d\d: peer_unreachable/)
})
