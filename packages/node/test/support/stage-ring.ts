import { GREEDY, type LayerRange } from '@resultity/interface'
import {
  createMemoryHost,
  identityFromSeed,
  MemoryEngine,
  type MemoryHost,
  SimulatedNetwork,
  VirtualScheduler
} from '@resultity/test-mesh'
import { placeable } from '@resultity/test-nodes'
import {
  FrameStream,
  type OpenSession,
  type ResumeOrder,
  type SessionOpened,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'
import { pino } from 'pino'
import { DEFAULT_NODE_LIMITS } from '../../src/node-init.ts'
import { StageServer } from '../../src/stage-server.ts'
import { StageTable } from '../../src/stage-table.ts'

export const SESSION = new Uint8Array(16).fill(7)
export const PROMPT = Array.from({ length: 40 }, (_, index) => index + 1)
export const TOKENS_MAX = 24
export const PREFILL_CHUNK = 8
const STAGE_LAYERS = 2
const STAGES = 3

/** What a stage writes down when a session of it is over. */
export interface SessionRecord {
  readonly epoch: number
  /** Positions that it had of an earlier epoch. */
  readonly held: number
  /** Positions that it computed. */
  readonly computed: number
}

/** A node that serves one range of a model of three. */
export interface RingNode {
  readonly host: MemoryHost
  readonly server: StageServer
  readonly stages: StageTable
  readonly range: LayerRange
  readonly records: readonly SessionRecord[]
}

/** The coordinator's stream to one stage. */
export interface RingControl {
  readonly said: readonly StageFrame[]
  send(frame: StageFrame): void
  end(): void
}

export interface RingNodeInit {
  readonly sentLogBytes?: number
  readonly sessionsMax?: number
}

/** Nodes and coordinators in virtual time, with the real stage server and whole numbers for weights. */
export class StageRing {
  readonly scheduler = new VirtualScheduler({ seed: 1 })
  readonly #network = new SimulatedNetwork({ latencyMs: () => 2, deadAfterMs: 49_000 })
  #hosts = 0

  /** A host that is no node yet. */
  async coordinator(): Promise<MemoryHost> {
    const number = ++this.#hosts
    return createMemoryHost(this.#network, {
      privateKey: await identityFromSeed(new Uint8Array(32).fill(number)),
      listen: [`/ip4/10.0.0.${number}/tcp/4701`],
      agent: 'resultity-node/test',
      scheduler: this.scheduler.process()
    })
  }

  /** A node with the layers of stage `index`. */
  async node(index: number, { sentLogBytes = 1 << 20, sessionsMax = 2 }: RingNodeInit = {}): Promise<RingNode> {
    const host = await this.coordinator()
    const { scheduler } = host
    const records: SessionRecord[] = []
    const write = (line: string): void => {
      const { epoch, held, computed } = JSON.parse(line)
      if (computed !== undefined) records.push({ epoch, held, computed })
    }
    const { manifest, manifestSha256 } = placeable(STAGES * STAGE_LAYERS)
    const range = { first: index * STAGE_LAYERS, end: (index + 1) * STAGE_LAYERS }
    const engine = new MemoryEngine({ scheduler, positionLayerMs: () => 1 })
    const stages = new StageTable(
      { engine, scheduler },
      { memoryBytes: 2 ** 30, threads: 1, spinning: false, workDir: '', stagesMax: 1 }
    )
    const source = {
      hold: () => ({ [Symbol.dispose]: () => {} }),
      manifest: async () => manifest,
      files: async (files: readonly { sha256: string }[]) => new Map(files.map(({ sha256 }) => [sha256, sha256]))
    }
    let ready = false
    for (const placementId of ['p1', 'p2']) {
      const assignment = { placementId, manifestSha256, range, contextLength: 256, sessionsMax }
      void stages.assign(assignment, source, state => {
        ready = state === 'ready'
      })
    }
    await this.scheduler.run(() => ready, 600_000)
    const server = new StageServer(
      {
        host,
        stages,
        scheduler,
        logger: pino({ level: 'debug', base: null, timestamp: false }, { write }),
        mayOpen: () => true,
        mayAsk: () => true,
        isKnown: () => true,
        admitHop: () => {}
      },
      { ...DEFAULT_NODE_LIMITS, sentLogBytes, streamsPerPeerMax: 64 }
    )
    await server.listen()
    return { host, server, stages, range, records }
  }

  /** Ends as by a kill: its peers see their connections end. */
  kill({ host }: RingNode): void {
    this.#network.kill(host)
  }

  /** Opens a control stream, and says what the session is. */
  async dial(coordinator: MemoryHost, node: RingNode, open: OpenSession): Promise<RingControl> {
    const said: StageFrame[] = []
    let control: FrameStream<StageFrame, StageFrame> | undefined
    const handlers = { onFrame: (frame: StageFrame) => void said.push(frame), onEnd: () => {} }
    const { peerId } = node.host
    const limits = { frameBytesMax: 1 << 20, scheduler: coordinator.scheduler }
    void coordinator.open({ peerId, multiaddrs: node.host.multiaddrs() }, STAGE_PROTOCOL).then(stream => {
      control = new FrameStream(stream, stageCodec, handlers, limits)
      void control.send(open)
    })
    await this.scheduler.run(() => control !== undefined, 1000)
    // a stream to a node that is gone reports its end by itself
    const ignore = (): undefined => undefined
    return {
      said,
      send: frame => void control?.send(frame).catch(ignore),
      end: () => void control?.close().catch(ignore)
    }
  }
}

/** What a stage of a route of these nodes is told. */
export function openOf(nodes: readonly RingNode[], index: number, fields: Partial<OpenSession> = {}): OpenSession {
  const next = nodes[(index + 1) % nodes.length]?.host
  return {
    type: 'open',
    session: SESSION,
    epoch: 1,
    placementId: 'p1',
    range: nodes[index]?.range ?? { first: 0, end: 1 },
    next: next && { peerId: next.peerId, multiaddrs: next.multiaddrs() },
    previousPeer: nodes[(index + nodes.length - 1) % nodes.length]?.host.peerId ?? '',
    promptCount: PROMPT.length,
    tokensMax: TOKENS_MAX,
    prefillChunk: PREFILL_CHUNK,
    endTokens: [],
    sampling: GREEDY,
    leaseMs: 20_000,
    logprobs: false,
    topLogprobs: 0,
    parks: true,
    ...fields
  }
}

/** One epoch of the session, on a route of these nodes. */
export class RingRoute {
  readonly #ring: StageRing
  readonly #epoch: number
  readonly controls: readonly RingControl[]

  private constructor(ring: StageRing, epoch: number, controls: readonly RingControl[]) {
    this.#ring = ring
    this.#epoch = epoch
    this.controls = controls
  }

  static async open(
    ring: StageRing,
    coordinator: MemoryHost,
    nodes: readonly RingNode[],
    fields: Partial<OpenSession> = {}
  ): Promise<RingRoute> {
    const opening = nodes.map((node, index) => ring.dial(coordinator, node, openOf(nodes, index, fields)))
    const route = new RingRoute(ring, fields.epoch ?? 1, await Promise.all(opening))
    await ring.scheduler.run(() => route.opened.every(frame => frame !== undefined), 10_000)
    return route
  }

  /** What each stage said that it has. */
  get opened(): readonly (SessionOpened | undefined)[] {
    return this.controls.map(({ said }) => said.find(frame => frame.type === 'opened'))
  }

  get tokens(): readonly number[] {
    return (this.controls.at(-1)?.said ?? []).flatMap(frame => (frame.type === 'sampled' ? [frame.token] : []))
  }

  /** Sends the prompt, and where each stage begins; reads so many tokens. */
  async run(count: number, orders: readonly ResumeOrder[] = []): Promise<readonly number[]> {
    const id = { session: SESSION, epoch: this.#epoch }
    for (const [index, order] of orders.entries()) this.controls[index]?.send({ type: 'resume', ...id, ...order })
    const kept = Math.min(...this.opened.map(frame => frame?.kept ?? 0))
    this.controls[0]?.send({ type: 'prompt', ...id, tokens: PROMPT, ...(kept > 0 ? { kept } : {}) })
    await this.#ring.scheduler.run(() => this.tokens.length >= count, 600_000)
    return this.tokens
  }

  /** Ends the session on all stages. */
  async close(park: boolean): Promise<void> {
    for (const control of this.controls) {
      control.send({ type: 'close', session: SESSION, reason: 'it is over', ...(park ? { park } : { keep: true }) })
      control.end()
    }
    await this.#ring.scheduler.run(() => false, 100)
  }
}
