import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Advert, MeshError } from '@resultity/interface'
import { createMeshHost, loadIdentity, type MeshHost, type PrivateKey, sealAdvert } from '@resultity/mesh'
import {
  type Assign,
  type AssignmentUpdate,
  type CoordinatorMessage,
  FrameStream,
  JOB_FRAME_BYTES_MAX,
  JOB_PROTOCOL,
  type JobEvent,
  type JobRequest,
  jobEventCodec,
  MEMBERSHIP_FRAME_BYTES_MAX,
  MEMBERSHIP_PROTOCOL,
  membershipNodeCodec,
  type NodeMessage,
  type OpenSession,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'
import { advert } from './specimens.ts'

/** A session on one scripted stage. */
export interface ScriptedSession {
  readonly node: ScriptedNode
  readonly open: OpenSession
  /** On the first stage, when it has come. */
  readonly prompt: Promise<readonly number[]>
  /** Resolves when the slot is free: the coordinator closed the session or its stream. */
  readonly ended: Promise<void>
  /** Then: whether the stage may keep what it has computed of the prompt. */
  readonly keeps: Promise<boolean>
  send(frame: StageFrame): Promise<void>
  /** Cuts the control stream without a word. */
  cut(): void
}

export interface Coordinates {
  readonly peerId: string
  readonly multiaddrs: string[]
}

export interface NodeScript {
  readonly layersOfRoom?: number
  /** What to say to an assignment; default: ready. */
  readonly onAssign?: (assign: Assign) => NodeMessage | undefined
  readonly onSession?: (session: ScriptedSession) => void | Promise<void>
  readonly onJob?: (job: ScriptedJob) => void | Promise<void>
}

/** A job that a coordinator sent. */
export interface ScriptedJob {
  readonly node: ScriptedNode
  readonly request: JobRequest
  /** Resolves when the coordinator ended the job's stream. */
  readonly ended: Promise<void>
  send(event: JobEvent): Promise<void>
  /** Cuts the stream without a word. */
  cut(): void
}

/**
 * A node as far as the wire shows one: real host, real streams, and answers from a script instead of an engine.
 */
export class ScriptedNode {
  readonly host: MeshHost
  readonly assigned: Assign[] = []
  readonly #privateKey: PrivateKey
  readonly #dataDir: string
  readonly #script: NodeScript
  readonly #open = new Set<ScriptedSession>()
  #membership: FrameStream<NodeMessage, CoordinatorMessage> | undefined
  #refused = Promise.withResolvers<MeshError>()
  #sequence = 0
  /** Answers no probes, as if the process had been stopped. */
  deaf = false
  /** A coordinator asked whether it is there. */
  onProbe: () => void = () => {}

  private constructor(host: MeshHost, privateKey: PrivateKey, dataDir: string, script: NodeScript) {
    this.host = host
    this.#privateKey = privateKey
    this.#dataDir = dataDir
    this.#script = script
  }

  static async start(script: NodeScript = {}): Promise<ScriptedNode> {
    const dataDir = await mkdtemp(join(tmpdir(), 'resultity-node-'))
    const privateKey = await loadIdentity(dataDir)
    const host = await createMeshHost({ privateKey, listen: ['/ip4/127.0.0.1/tcp/0'], agent: 'resultity-node/0.0.0' })
    const node = new ScriptedNode(host, privateKey, dataDir, script)
    await host.handle(STAGE_PROTOCOL, stream => node.#accept(stream), { inboundStreamsMax: 64 })
    await host.handle(JOB_PROTOCOL, stream => node.#acceptJob(stream), { inboundStreamsMax: 64 })
    return node
  }

  get peerId(): string {
    return this.host.peerId
  }

  /** Sessions whose slots are taken. */
  get sessionsOpen(): number {
    return this.#open.size
  }

  /** Why the coordinator turned this node away. */
  get refused(): Promise<MeshError> {
    return this.#refused.promise
  }

  /** Opens the membership stream and sends these messages; default: a valid Hello. Resolves when welcomed. */
  async join(coordinator: Coordinates, messages?: NodeMessage[]): Promise<void> {
    const welcomed = Promise.withResolvers<void>()
    const stream = await this.host.open(coordinator, MEMBERSHIP_PROTOCOL)
    const frames: FrameStream<NodeMessage, CoordinatorMessage> = new FrameStream<NodeMessage, CoordinatorMessage>(
      stream,
      membershipNodeCodec,
      {
        onFrame: message => {
          if (message.type === 'welcome') welcomed.resolve()
          if (message.type === 'refused') this.#refused.resolve(message.error)
          if (message.type === 'assign') this.#onAssign(frames, message)
        },
        onEnd: () => welcomed.resolve()
      },
      { frameBytesMax: MEMBERSHIP_FRAME_BYTES_MAX }
    )
    this.#membership = frames
    for (const message of messages ?? [await this.hello()]) void frames.send(message)
    await welcomed.promise
  }

  async hello(overrides: Partial<Advert> = {}, key: PrivateKey = this.#privateKey): Promise<NodeMessage> {
    const now = Date.now()
    const whole = advert(this.peerId, this.#script.layersOfRoom ?? 64, {
      sequence: ++this.#sequence,
      issuedAtMs: now,
      expiresAtMs: now + 600_000,
      multiaddrs: this.host.multiaddrs(),
      ...overrides
    })
    return { type: 'hello', advert: await sealAdvert(whole, key) }
  }

  say(message: NodeMessage): void {
    void this.#membership?.send(message)
  }

  /** As if the process were killed: every stream and connection ends at once. */
  async kill(): Promise<void> {
    for (const session of this.#open) session.cut()
    await this.host.close()
    await rm(this.#dataDir, { recursive: true, force: true })
  }

  #onAssign(frames: FrameStream<NodeMessage, CoordinatorMessage>, assign: Assign): void {
    this.assigned.push(assign)
    const answer = this.#script.onAssign === undefined ? readyReport(assign.placementId) : this.#script.onAssign(assign)
    if (answer !== undefined) void frames.send(answer)
  }

  #acceptJob(stream: ConstructorParameters<typeof FrameStream>[0]): void {
    const ended = Promise.withResolvers<void>()
    const frames = new FrameStream<JobEvent, JobRequest>(
      stream,
      jobEventCodec,
      {
        onFrame: request => {
          const body = request.body.slice()
          const send = (event: JobEvent): Promise<void> => frames.send(event)
          const cut = (): void => frames.abort(new Error('cut'))
          void this.#script.onJob?.({ node: this, request: { ...request, body }, ended: ended.promise, send, cut })
        },
        onEnd: () => ended.resolve()
      },
      { frameBytesMax: JOB_FRAME_BYTES_MAX }
    )
  }

  #accept(stream: ConstructorParameters<typeof FrameStream>[0]): void {
    const prompt = Promise.withResolvers<readonly number[]>()
    const ended = Promise.withResolvers<void>()
    const keeps = Promise.withResolvers<boolean>()
    let session: ScriptedSession | undefined
    const end = (keep = false): void => {
      if (session !== undefined) this.#open.delete(session)
      ended.resolve()
      keeps.resolve(keep)
    }
    const frames = new FrameStream<StageFrame, StageFrame>(
      stream,
      stageCodec,
      {
        onFrame: async frame => {
          if (frame.type === 'prompt') prompt.resolve(frame.tokens)
          if (frame.type === 'close') end(frame.keep)
          if (frame.type === 'probe') this.onProbe()
          if (frame.type === 'probe' && !this.deaf) void frames.send({ ...frame, type: 'probe_ack' })
          if (frame.type !== 'open') return
          const open = { ...frame, session: frame.session.slice() }
          const send = (out: StageFrame): Promise<void> => frames.send(out)
          const cut = (): void => frames.abort(new Error('cut'))
          session = {
            node: this,
            open,
            prompt: prompt.promise,
            ended: ended.promise,
            keeps: keeps.promise,
            send,
            cut
          }
          this.#open.add(session)
          void this.#script.onSession?.(session)
        },
        onEnd: () => end()
      },
      { frameBytesMax: STAGE_FRAME_BYTES_MAX }
    )
  }
}

export function readyReport(placementId: string): AssignmentUpdate {
  return {
    type: 'assignment',
    placementId,
    state: 'ready',
    bytesDone: 0,
    bytesTotal: 0,
    decodeMsPerLayer: 1,
    prefillMsPerPositionLayer: 1,
    fixedDecodeMs: 1,
    selfTestSha256: '',
    memoryBytes: 0,
    error: undefined
  }
}

/** The two ends of a route, as one script sees them. */
export interface Ring {
  readonly stages: readonly ScriptedSession[]
  readonly open: OpenSession
  readonly prompt: readonly number[]
  /** Sends sampled tokens from the last stage; the last of them as `finish`, default `continues`. */
  sample(tokens: readonly number[], finish?: 'continues' | 'end_token' | 'tokens_max'): Promise<void>
}

export type RingScript = (ring: Ring) => void | Promise<void>

/**
 * Gathers the sessions of one route of a generation on all its stages, opens them, and hands them to a script, with the
 * tokens that stand run already.
 */
export class ScriptedRing {
  /** What the next generation does. */
  script: RingScript
  /** Whether answers that go on on another route say that they came out the same. */
  exact = true
  readonly #gathered = new Map<string, ScriptedSession[]>()

  constructor(script: RingScript) {
    this.script = script
  }

  readonly onSession = async (session: ScriptedSession): Promise<void> => {
    const key = `${Buffer.from(session.open.session).toString('hex')} ${session.open.epoch}`
    const stages = [...(this.#gathered.get(key) ?? []), session].toSorted(
      (a, b) => a.open.range.first - b.open.range.first
    )
    this.#gathered.set(key, stages)
    await session.send({ type: 'opened', session: session.open.session, epoch: session.open.epoch })
    const [first] = stages
    const last = stages.at(-1)
    const whole = stages.reduce((layers, { open: { range } }) => layers + range.end - range.first, 0)
    if (first === undefined || last === undefined || whole < LAYERS) return
    this.#gathered.delete(key)
    const prompt = await first.prompt
    const { session: id, epoch, committed = [] } = last.open
    let position = prompt.length + committed.length
    if (committed.length > 0) {
      await last.send({ type: 'replayed', session: id, epoch, position: position - 1, exact: this.exact })
    }
    const sample: Ring['sample'] = async (tokens, finish = 'continues') => {
      for (const [index, token] of tokens.entries()) {
        const final = index === tokens.length - 1
        const top = Array.from({ length: last.open.topLogprobs }, (_, rank) => ({ token: rank + 10, logprob: -rank }))
        const frame = { type: 'sampled' as const, session: id, epoch, position: position++, token, logprob: -0.5, top }
        await last.send({ ...frame, finish: final ? finish : 'continues' })
      }
    }
    await this.script({ stages, open: last.open, prompt, sample })
  }
}

/** Of tiny-chat. */
export const LAYERS = 4
