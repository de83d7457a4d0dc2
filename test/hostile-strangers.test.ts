import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { type Advert, MeshError } from '@resultity/interface'
import { createMeshHost, fetchBlob, loadIdentity, type MeshHost, type PrivateKey, sealAdvert } from '@resultity/mesh'
import { residentBytes, type Swarm, swarmFor } from '@resultity/testkit'
import {
  BLOB_PROTOCOL,
  type ByteStream,
  type CoordinatorMessage,
  FrameStream,
  JOB_PROTOCOL,
  MEMBERSHIP_FRAME_BYTES_MAX,
  MEMBERSHIP_PROTOCOL,
  membershipNodeCodec,
  type NodeMessage,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL
} from '@resultity/wire'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { ask } from './chat-client.ts'

const MIB = 1024 * 1024
const QUESTION = { model: 'tiny-chat', messages: [{ role: 'user', content: 'What is the capital of France?' }] }
const ANSWER = 'The capital of France is Paris.'

interface Stranger {
  readonly host: MeshHost
  readonly privateKey: PrivateKey
  readonly dataDir: string
}

async function stranger(t: Test, agent = 'stranger/1'): Promise<Stranger> {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-stranger-'))
  const privateKey = await loadIdentity(dataDir)
  const host = await createMeshHost({ privateKey, listen: [], agent })
  t.teardown(async () => {
    await host.close()
    await rm(dataDir, { recursive: true })
  })
  return { host, privateKey, dataDir }
}

async function answers(swarm: Swarm): Promise<string | undefined> {
  return (await ask(swarm.url, QUESTION)).answer.choices[0]?.message.content
}

/** Resolves when the stream is over, whoever ended it. */
function over(stream: ByteStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.addEventListener('close', () => resolve())
  stream.addEventListener('remoteCloseWrite', () => resolve())
  if (stream.status !== 'open') resolve()
  return promise
}

function framed(body: Uint8Array, length = body.length): Uint8Array {
  return Buffer.concat([new Uint8Array(new Uint32Array([length]).buffer), body])
}

/** A blob that some process of the swarm has. */
async function someBlob(dataDir: string): Promise<{ sha256: string; bytes: number }> {
  const directory = join(dataDir, 'blobs')
  const [name = ''] = await readdir(directory)
  return { sha256: name.replace('sha256-', ''), bytes: (await stat(join(directory, name))).size }
}

/** Of all tests but the first, whose last one joins it. */
const small = await swarmFor(t, { nodes: 1, stages: 1, separateBlobs: true })

t.test('garbage on every protocol ends streams and nothing else', async t => {
  const swarm = await swarmFor(t, { nodes: 2, stages: 2 })
  const { host } = await stranger(t)
  const [node] = swarm.nodes
  if (node === undefined) throw new Error('the swarm has no node')
  const targets = [
    { peer: node, protocol: STAGE_PROTOCOL },
    { peer: node, protocol: BLOB_PROTOCOL },
    { peer: node, protocol: JOB_PROTOCOL },
    { peer: swarm.coordinator, protocol: MEMBERSHIP_PROTOCOL },
    { peer: swarm.coordinator, protocol: BLOB_PROTOCOL }
  ]
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 3000 })
  const garbage = fc.oneof(
    bytes.map(body => framed(body)),
    // a frame behind which nothing comes, a length that lies, no frame at all
    fc.constant(framed(new Uint8Array(0))),
    bytes.map(body => framed(body, 0xffff_ffff)),
    bytes.map(body => Buffer.concat([body, Buffer.alloc(4, 0xff), body]))
  )
  const samples = fc.sample(garbage, { numRuns: 120, seed: 13 })
  t.equal(await answers(swarm), ANSWER)
  const pids = [swarm.coordinator.pid, ...swarm.nodes.map(({ pid }) => pid)]
  const before = await Promise.all(pids.map(residentBytes))
  const attack = async (): Promise<void> => {
    for (const [index, sample] of samples.entries()) {
      const { peer, protocol } = targets[index % targets.length] ?? { peer: node, protocol: STAGE_PROTOCOL }
      const stream = await host.open(peer, protocol)
      const ended = over(stream)
      stream.send(sample)
      // what was half a frame is ended by the end of this side
      await stream.close().catch(() => {})
      await ended
      stream.abort(new Error('done'))
    }
  }
  const honest = async (): Promise<void> => {
    for (let count = 0; count < 5; count++) t.equal(await answers(swarm), ANSWER, 'meanwhile it answers')
  }
  await Promise.all([attack(), honest()])
  const after = await Promise.all(pids.map(residentBytes))
  for (const [index, bytes] of after.entries()) {
    t.ok(bytes - (before[index] ?? 0) < 100 * MIB, `process ${index} has not grown: ${bytes}`)
  }
  t.equal((await swarm.api.nodes()).length, 2, 'no node left')
})

t.test('whoever calls itself a coordinator and connects is not followed', async t => {
  const { host } = await stranger(t, 'resultity-coordinator/9.9.9')
  const [node] = small.nodes
  if (node === undefined) throw new Error('the swarm has no node')
  let asked = 0
  await host.handle(
    MEMBERSHIP_PROTOCOL,
    stream => {
      asked++
      stream.abort(new Error('not for real'))
    },
    { inboundStreamsMax: 8 }
  )
  for (let count = 0; count < 10; count++) {
    const stream = await host.open(node, JOB_PROTOCOL)
    const ended = over(stream)
    stream.send(framed(Buffer.from([0xff])))
    await ended
    t.equal(await answers(small), ANSWER)
  }
  t.equal(asked, 0)
  t.notOk(node.logs().some(line => line.includes(host.peerId) && /coordinator/.test(line)))
})

t.test('halves of large frames cost a node no memory', async t => {
  const { host } = await stranger(t)
  const [node] = small.nodes
  if (node === undefined) throw new Error('the swarm has no node')
  t.equal(await answers(small), ANSWER)
  const before = await residentBytes(node.pid)
  const piece = Buffer.alloc(256 * 1024, 1)
  const half = async (protocol: string): Promise<void> => {
    const stream = await host.open(node, protocol)
    const ended = over(stream)
    let done = false
    void ended.then(() => {
      done = true
    })
    try {
      stream.send(framed(new Uint8Array(0), STAGE_FRAME_BYTES_MAX - 1))
      for (let sent = 0; sent < STAGE_FRAME_BYTES_MAX - MIB && !done; sent += piece.length) {
        if (stream.send(piece)) await new Promise(resolve => setImmediate(resolve))
        else {
          const { promise, resolve } = Promise.withResolvers<void>()
          stream.addEventListener('drain', () => resolve())
          await Promise.race([promise, ended])
        }
      }
    } catch {
      // it was ended while this side was sending
    }
    await ended
  }
  await Promise.all(Array.from({ length: 40 }, (_, index) => half(index % 2 === 0 ? STAGE_PROTOCOL : JOB_PROTOCOL)))
  const grown = (await residentBytes(node.pid)) - before
  t.ok(grown < 100 * MIB, `it has grown by ${Math.round(grown / MIB)} MiB`)
  t.equal(await answers(small), ANSWER)
})

t.test('a stranger gets no blob; a member does, of other members too', async t => {
  const { host, privateKey, dataDir } = await stranger(t)
  const store = await FileBlobStore.open(dataDir)
  t.teardown(() => store[Symbol.asyncDispose]())
  const [node] = small.nodes
  if (node === undefined) throw new Error('the swarm has no node')
  const ofNode = { ...(await someBlob(node.dataDir)), sources: [node] }
  const ofCoordinator = { ...(await someBlob(small.coordinator.dataDir)), sources: [small.coordinator] }
  await t.rejects(fetchBlob(host, ofNode, store), { message: /peer_refused/ })
  await t.rejects(fetchBlob(host, ofCoordinator, store), { message: /peer_refused/ })

  await joinAs(t, host, privateKey, small.coordinator)
  t.ok(await fetchBlob(host, ofCoordinator, store))
  // the node hears of its new fellow with its next heartbeat
  let path: string | undefined
  while (path === undefined) {
    path = await fetchBlob(host, ofNode, store).catch((error: unknown) => {
      if (/peer_refused/.test(MeshError.from(error).message)) return undefined
      throw error
    })
  }
  t.ok(path)
})

/** Joins as a node without memory would, and keeps its heart beating as long as the test runs. */
async function joinAs(
  t: Test,
  host: MeshHost,
  key: PrivateKey,
  coordinator: { peerId: string; multiaddrs: readonly string[] }
) {
  const now = Date.now()
  const advert: Advert = {
    version: 1,
    peerId: host.peerId,
    sequence: now,
    issuedAtMs: now,
    expiresAtMs: now + 300_000,
    agentVersion: '0.0.0',
    multiaddrs: [],
    hardware: {
      platform: 'linux',
      architecture: 'x64',
      cpuModel: 'none',
      cpuCores: 1,
      memoryBytes: 1,
      gpus: [],
      executionProviders: []
    },
    memoryOfferedBytes: 0,
    memoryFreeBytes: 0,
    probeMsPer100M: 1,
    threads: 1,
    labels: {},
    stages: []
  }
  const welcomed = Promise.withResolvers<void>()
  const frames: FrameStream<NodeMessage, CoordinatorMessage> = new FrameStream<NodeMessage, CoordinatorMessage>(
    await host.open(coordinator, MEMBERSHIP_PROTOCOL),
    membershipNodeCodec,
    {
      onFrame: message => {
        if (message.type === 'welcome') welcomed.resolve()
      },
      onEnd: error => welcomed.reject(error ?? new Error('the coordinator ended the membership'))
    },
    { frameBytesMax: MEMBERSHIP_FRAME_BYTES_MAX }
  )
  void frames.send({ type: 'hello', advert: await sealAdvert(advert, key) })
  await welcomed.promise
  let sequence = 0
  const heart = setInterval(() => void frames.send({ type: 'heartbeat', sequence: ++sequence, advert: undefined }), 500)
  t.teardown(() => clearInterval(heart))
}
