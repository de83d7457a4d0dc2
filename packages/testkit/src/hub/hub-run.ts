import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MeshError } from '@resultity/interface'
import type { CheckpointShape } from '@resultity/test-hub'
import { peakResidentBytes } from '../resident-memory.ts'
import { startSwarm } from '../swarm.ts'
import type { HubChildInit, HubChildReply, MakerInit, MakerReply } from './messages.ts'

export interface HubRunInit {
  readonly shape: CheckpointShape
  readonly shards: number
  /** GGUF files in Q8_0 in place of safetensors in bf16. Default false. */
  readonly gguf?: boolean
  /** Processes that make layers, each of an equal range. */
  readonly nodes: number
  log(line: string): void
}

export interface HubParty {
  readonly name: string
  /** Sent to it by the hub. */
  readonly bytesRead: number
  /** Most memory at a time. */
  readonly peakBytes: number
  /** On its disk at the end, of the coordinator; the most at a time, of who makes layers. */
  readonly diskBytes: number
  readonly seconds: number
}

export interface HubRunReport {
  /** Of the checkpoint. */
  readonly weightBytes: number
  /** Of all weight files that were made. */
  readonly madeBytes: number
  readonly coordinator: HubParty
  /** The coordinator after it was killed, on the same disk. */
  readonly coordinatorAgain: HubParty
  readonly nodes: readonly HubParty[]
  /** The last node was killed when it was half done; these are what it read until then, and what it should read in all. */
  readonly killed: { readonly bytesRead: number; readonly rangeBytes: number }
  readonly seconds: number
}

const REPOSITORY = 'bench/random'
/** Of a number: blocks of 32 have 34. */
const Q8_0_BYTES = 34 / 32
const DISK_LOOK_MS = 250
const KILL_AT = 0.5

/**
 * Has a coordinator describe a checkpoint of a hub, and processes make its layers as nodes do. The coordinator is killed and
 * started again; of those that make layers the last one.
 */
export async function runHub({ shape, shards, gguf = false, nodes, log }: HubRunInit): Promise<HubRunReport> {
  const names = ['tokenizer.json', 'tokenizer_config.json']
  const pathOf = (name: string): string =>
    fileURLToPath(import.meta.resolve(`@resultity/model/models/tiny-chat/${name}`))
  const small = Object.fromEntries(names.map(name => [name, pathOf(name)]))
  await using hub = await HubProcess.start({ repository: REPOSITORY, shape, shards, gguf, small })
  const begun = performance.now()
  const swarm = await startSwarm({
    nodes: 0,
    models: [`hf:${REPOSITORY}`],
    env: { HF_ENDPOINT: hub.url, HF_TOKEN: 'coordinator' },
    coordinatorArgs: ['--import-max=1']
  })
  try {
    const measure = async (since: number, before: number): Promise<HubParty> => ({
      name: 'coordinator',
      bytesRead: (await hub.sentTo('coordinator')) - before,
      peakBytes: await peakResidentBytes(swarm.coordinator.pid),
      diskBytes: await bytesIn(swarm.coordinator.dataDir),
      seconds: (performance.now() - since) / 1000
    })
    const coordinator = await measure(begun, 0)
    log(`the coordinator serves the model after ${coordinator.seconds.toFixed(1)} s`)
    const killedAt = performance.now()
    await swarm.restartCoordinator('SIGKILL')
    const coordinatorAgain = await measure(killedAt, coordinator.bytesRead)
    const manifest = (await swarm.api.models({})).at(0)?.manifestSha256 ?? ''
    const manifestPath = join(swarm.coordinator.dataDir, 'blobs', `sha256-${manifest}`)
    const ranges = rangesOf(shape.num_hidden_layers + 2, nodes)
    const weightBytes = checkpointBytes(shape, gguf ? Q8_0_BYTES : 2)
    const making = ranges.map(async (indices, at) => {
      const name = `node-${at + 1}`
      const init = { manifestPath, dataDir: join(swarm.directory, name), indices, hubUrl: hub.url, token: name }
      const last = at === nodes - 1
      if (last) await runMaker(init, hub, log, KILL_AT)
      const bytesRead = last ? await hub.sentTo(name) : 0
      return {
        party: await runMaker(init, hub, log),
        bytesRead,
        rangeBytes: (weightBytes * indices.length) / (shape.num_hidden_layers + 2)
      }
    })
    const made = await Promise.all(making)
    const killed = made.at(-1) ?? { bytesRead: 0, rangeBytes: 0 }
    return {
      weightBytes,
      madeBytes: (
        await Promise.all(ranges.map((_, at) => bytesIn(join(swarm.directory, `node-${at + 1}`, 'blobs'))))
      ).reduce((a, b) => a + b, 0),
      coordinator,
      coordinatorAgain,
      nodes: made.map(({ party }) => party),
      killed: { bytesRead: killed.bytesRead, rangeBytes: killed.rangeBytes },
      seconds: (performance.now() - begun) / 1000
    }
  } finally {
    await swarm.stop()
  }
}

/** Starts a process that makes layers. @param killAt of all its work: then it is killed */
async function runMaker(init: MakerInit, hub: HubProcess, log: HubRunInit['log'], killAt?: number): Promise<HubParty> {
  const begun = performance.now()
  const child = fork(new URL('./maker-child.js', import.meta.url), [JSON.stringify(init)])
  let diskBytes = 0
  const looking = setInterval(async () => {
    diskBytes = Math.max(diskBytes, await bytesIn(init.dataDir))
  }, DISK_LOOK_MS)
  let done: Extract<MakerReply, { kind: 'done' }> | undefined
  child.on('message', (reply: MakerReply) => {
    if (reply.kind === 'done') done = reply
    else if (killAt !== undefined && reply.fraction >= killAt) child.kill('SIGKILL')
  })
  const [code, signal] = await once(child, 'exit')
  clearInterval(looking)
  if (done === undefined && killAt === undefined) {
    throw new MeshError('unavailable', `${init.token} ended with ${code ?? signal} before it had made its layers`)
  }
  const seconds = (performance.now() - begun) / 1000
  log(`${init.token} ${done === undefined ? 'was killed' : 'has made its layers'} after ${seconds.toFixed(1)} s`)
  diskBytes = Math.max(diskBytes, await bytesIn(init.dataDir))
  const bytesRead = await hub.sentTo(init.token)
  return { name: init.token, bytesRead, peakBytes: done?.peakBytes ?? 0, diskBytes, seconds }
}

/** The hub in a process of its own. */
class HubProcess implements AsyncDisposable {
  readonly url: string
  readonly #child: ChildProcess
  /** Questions follow one another. */
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.url = url
  }

  static async start(init: HubChildInit): Promise<HubProcess> {
    const child = fork(new URL('./hub-child.js', import.meta.url), [JSON.stringify(init)])
    const [reply]: HubChildReply[] = await once(child, 'message')
    if (reply?.kind === 'up') return new HubProcess(child, reply.url)
    throw new MeshError('unavailable', 'the hub did not come up')
  }

  async sentTo(token: string): Promise<number> {
    const asked = this.#tail.then(async () => {
      const answer = once(this.#child, 'message')
      this.#child.send('sent')
      const [reply]: HubChildReply[] = await answer
      return reply?.kind === 'sent' ? (reply.sentTo[token] ?? 0) : 0
    })
    this.#tail = asked
    return await asked
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }
}

/** Files of a directory that are there; some go while they are counted. */
async function bytesIn(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true }).catch(() => [])
  const sizes = names.map(async name => {
    const stats = await stat(join(directory, name)).catch(() => undefined)
    return stats?.isFile() === true ? stats.size : 0
  })
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

function rangesOf(count: number, nodes: number): number[][] {
  const cut = (at: number): number => Math.round((at * count) / nodes)
  return Array.from({ length: nodes }, (_, at) =>
    Array.from({ length: cut(at + 1) - cut(at) }, (_, index) => cut(at) + index)
  )
}

function checkpointBytes(shape: CheckpointShape, bytesOfNumber: number): number {
  const { hidden_size: hidden, intermediate_size: inner, head_dim: head, vocab_size: vocabulary } = shape
  const heads = 2 * shape.num_attention_heads + 2 * shape.num_key_value_heads
  const layer = hidden * heads * head + 3 * hidden * inner + 2 * hidden
  const tables = shape.tie_word_embeddings ? 1 : 2
  return bytesOfNumber * (shape.num_hidden_layers * layer + tables * vocabulary * hidden + hidden)
}
