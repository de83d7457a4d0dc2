import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GREEDY, type MeshError } from '@resultity/interface'
import { createMeshHost, loadIdentity, type MeshHost } from '@resultity/mesh'
import { type SwarmNode, swarmFor } from '@resultity/testkit'
import {
  BLOB_PROTOCOL,
  FrameStream,
  MEMBERSHIP_PROTOCOL,
  type OpenSession,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'
import { type Test, test } from 'tap'
import { ask } from './chat-client.ts'

const session = new Uint8Array(16).fill(9)

const open: OpenSession = {
  type: 'open',
  session,
  epoch: 1,
  placementId: 'made-up',
  range: { first: 0, end: 4 },
  next: undefined,
  previousPeer: '',
  promptCount: 4,
  tokensMax: 4,
  prefillChunk: 128,
  endTokens: [],
  sampling: GREEDY,
  leaseMs: 1000,
  logprobs: false,
  topLogprobs: 0
}

/** What a stranger gets for `frames`: the fault, or the error that ended the stream. */
async function answerTo(host: MeshHost, node: SwarmNode, frames: readonly StageFrame[]): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const stream = new FrameStream<StageFrame, StageFrame>(
    await host.open(node, STAGE_PROTOCOL),
    stageCodec,
    {
      onFrame: frame => resolve(frame.type === 'fault' ? frame.error.code : frame.type),
      onEnd: (error: MeshError | undefined) => resolve(error?.code ?? 'ended')
    },
    { frameBytesMax: STAGE_FRAME_BYTES_MAX }
  )
  for (const frame of frames) await stream.send(frame)
  const answer = await promise
  if (!stream.closed) await stream.close()
  return answer
}

/** The same for raw bytes. Resolves when the node has ended the stream. */
async function bytesEndStream(host: MeshHost, node: SwarmNode, protocol: string, bytes: Uint8Array): Promise<void> {
  const stream = await host.open(node, protocol)
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.addEventListener('close', () => resolve())
  stream.addEventListener('remoteCloseWrite', () => resolve())
  stream.send(bytes)
  await promise
  stream.abort(new Error('done'))
}

async function stranger(t: Test): Promise<MeshHost> {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-stranger-'))
  const host = await createMeshHost({ privateKey: await loadIdentity(dataDir), listen: [], agent: 'stranger/1' })
  t.teardown(async () => {
    await host.close()
    await rm(dataDir, { recursive: true })
  })
  return host
}

test('a node refuses what strangers send, by its code, and serves on', async t => {
  const swarm = await swarmFor(t, { nodes: 2, stages: 2, models: ['tiny-chat'] })
  const host = await stranger(t)
  const [node] = swarm.nodes
  if (node === undefined) throw new Error('the swarm has no node')

  const refusals: { id: string; frames: StageFrame[]; code: string }[] = [
    { id: 'a session of somebody who is no coordinator', frames: [open], code: 'session_forbidden' },
    {
      id: 'a stream that does not start with open or join',
      frames: [{ type: 'next', session, epoch: 1, position: 4, token: 1 }],
      code: 'protocol_violation'
    },
    {
      id: 'hidden states without a session',
      frames: [{ type: 'activations', session, epoch: 1, position: 0, count: 1, hidden: new Uint8Array(512) }],
      code: 'protocol_violation'
    },
    {
      id: 'a hop to a session that is not there',
      frames: [{ type: 'join', session, epoch: 1 }],
      code: 'session_unknown'
    }
  ]
  for (const { id, frames, code } of refusals) t.equal(await answerTo(host, node, frames), code, id)

  const header = (length: number): Uint8Array => new Uint8Array(new Uint32Array([length]).buffer)
  const garbage = [
    { id: 'a frame larger than the limit', bytes: header(STAGE_FRAME_BYTES_MAX + 1) },
    { id: 'a frame that is no protobuf', bytes: Uint8Array.of(4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff) },
    { id: 'another protocol version', bytes: versionFrame(2) }
  ]
  for (const { id, bytes } of garbage) {
    for (const protocol of [STAGE_PROTOCOL, BLOB_PROTOCOL]) {
      await bytesEndStream(host, node, protocol, bytes)
      t.pass(`${protocol}: ${id}`)
    }
  }
  for (const { id, bytes } of garbage) {
    await bytesEndStream(host, { ...node, ...swarm.coordinator }, MEMBERSHIP_PROTOCOL, bytes)
    t.pass(`${MEMBERSHIP_PROTOCOL}: ${id}`)
  }

  const { answer } = await ask(swarm.url, {
    model: 'tiny-chat',
    messages: [{ role: 'user', content: 'What is the capital of France?' }]
  })
  t.equal(answer.choices[0]?.message.content, 'The capital of France is Paris.')
})

/** `JoinHop` of protocol version `version`, framed: the first field of every first message is the version. */
function versionFrame(version: number): Uint8Array {
  const join = [0x08, version, 0x12, 16, ...session]
  const body = [0x1a, join.length, ...join]
  return Uint8Array.of(body.length, 0, 0, 0, ...body)
}
