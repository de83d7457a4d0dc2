import { Agent, get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { MeshError } from '@resultity/interface'
import { createMeshHost, loadIdentity, type MeshHost } from '@resultity/mesh'
import type { ByteStream } from '@resultity/wire'
import { COORDINATOR, OWN_TIMERS, type ProbeMessage, type ProbeTargets } from './probe-messages.ts'

const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const PING_BYTES = 32
/** A node ends a ping stream after ten seconds. */
const STREAM_MS = 5_000
/** A probe without an answer counts as so long. */
const PATIENCE_MS = 60_000
const FAILURES_MAX = 50

const targets: ProbeTargets = workerData
const samples: Record<string, number[]> = {}
const failures: string[] = []
let stopped = false

function tell(message: ProbeMessage): void {
  parentPort?.postMessage(message)
}

/** Probes one target again and again, and notes what each probe took. */
async function watch(target: string, probe: () => Promise<void>): Promise<void> {
  const own: number[] = []
  samples[target] = own
  while (!stopped) {
    const startedMs = performance.now()
    try {
      await probe()
    } catch (error) {
      if (failures.length < FAILURES_MAX) failures.push(`${target}: ${String(error)}`)
    }
    const ms = performance.now() - startedMs
    own.push(ms)
    if (ms > targets.slowMs) tell({ type: 'slow', target, ms })
    await delay(Math.max(0, targets.intervalMs - ms))
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function askHealth(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  get(targets.healthUrl, { agent, timeout: PATIENCE_MS }, response => {
    response
      .resume()
      .on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`))))
  })
    .on('timeout', () => reject(new Error('no answer')))
    .on('error', reject)
  return promise
}

class StreamEnded extends Error {}

/** Pings over one stream, and over the next when that is old: every ping is a round through the node's event loop. */
class Pinger {
  readonly #host: MeshHost
  readonly #node: ProbeTargets['nodes'][number]
  #stream: ByteStream | undefined
  #openedMs = 0
  #pong = Promise.withResolvers<void>()

  constructor(host: MeshHost, node: ProbeTargets['nodes'][number]) {
    this.#host = host
    this.#node = node
  }

  /** Opens a stream where one is due; not part of what is timed. */
  async ready(): Promise<ByteStream> {
    const fresh = performance.now() - this.#openedMs < STREAM_MS
    if (this.#stream?.status === 'open' && fresh) return this.#stream
    const old = this.#stream
    this.#stream = undefined
    await old?.close().catch(() => undefined)
    this.#openedMs = performance.now()
    const stream = await this.#open()
    let received = 0
    stream.addEventListener('message', ({ data }) => {
      received += data.byteLength
      if (received % PING_BYTES === 0) this.#pong.resolve()
    })
    stream.addEventListener('close', () => {
      // one that was replaced takes its time to close
      if (this.#stream === stream) this.#pong.reject(new StreamEnded('the ping stream ended'))
    })
    this.#stream = stream
    return stream
  }

  /** The stream before may not be closed yet, and a node takes two: what that costs counts as the node's. */
  async #open(): Promise<ByteStream> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      try {
        return await this.#host.open(this.#node, PING_PROTOCOL)
      } catch (error) {
        const full = MeshError.from(error).code === 'resource_exhausted'
        if (!full || performance.now() > deadline) throw error
        await delay(targets.intervalMs)
      }
    }
  }

  /** A stream that the node ended of old age says nothing of the node: the next one is asked. */
  async ping(): Promise<void> {
    try {
      await this.#pingOnce()
    } catch (error) {
      if (!(error instanceof StreamEnded)) throw error
      await this.#pingOnce()
    }
  }

  async #pingOnce(): Promise<void> {
    const stream = await this.ready()
    this.#pong = Promise.withResolvers<void>()
    const { promise } = this.#pong
    const patience = setTimeout(() => this.#pong.reject(new Error('no pong')), PATIENCE_MS)
    stream.send(new Uint8Array(PING_BYTES))
    await promise.finally(() => clearTimeout(patience))
  }
}

const host = await createMeshHost({
  privateKey: await loadIdentity(targets.directory),
  listen: [],
  agent: 'resultity-probe/1'
})
parentPort?.on('message', () => {
  stopped = true
})
const pingers = targets.nodes.map(node => ({ name: node.name, pinger: new Pinger(host, node) }))
await Promise.all([askHealth(), ...pingers.map(({ pinger }) => pinger.ping())])
tell({ type: 'ready' })
await Promise.all([
  watch(COORDINATOR, askHealth),
  watch(OWN_TIMERS, () => delay(1)),
  ...pingers.map(({ name, pinger }) => watch(name, () => pinger.ping()))
])
tell({ type: 'results', samples, failures })
await host.close()
agent.destroy()
parentPort?.close()
