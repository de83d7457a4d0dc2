import { type Advert, GREEDY, MeshError } from '@resultity/interface'
import { COORDINATOR_AGENT, fetchBlob, openAdvert } from '@resultity/mesh'
import {
  createMemoryHost,
  identityFromSeed,
  type MemoryHost,
  type SimulatedNetwork,
  type VirtualProcess
} from '@resultity/test-mesh'
import {
  type Assign,
  type AssignmentUpdate,
  type ByteStream,
  type CoordinatorMessage,
  FrameStream,
  MEMBERSHIP_FRAME_BYTES_MAX,
  MEMBERSHIP_PROTOCOL,
  membershipCoordinatorCodec,
  type NodeMessage,
  type OpenSession,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'
import type { HeldModel } from './held-manifest.ts'

type MemberStream = FrameStream<CoordinatorMessage, NodeMessage>

/** A session that a coordinator has open on the node. */
export interface ControlStream {
  readonly said: StageFrame[]
  readonly ended: boolean
  send(frame: StageFrame): Promise<void>
}

export const HEARTBEAT_MS = 1000
export const MISSES_MAX = 3

const SESSION = new Uint8Array(16).fill(7)

/** A coordinator as far as the wire shows one, in virtual time. It does what its fields say, and keeps what it hears. */
export class ScriptedCoordinator {
  readonly host: MemoryHost
  readonly #machine: VirtualProcess
  readonly #model: HeldModel
  #member: MemberStream | undefined
  #node = ''
  /** Answers hellos with this, if it is set. */
  refusal: MeshError | undefined
  /** Answers heartbeats. */
  answers = true
  /** What the next answer to a heartbeat says that its members are. */
  members: readonly string[] | undefined
  /** Adverts, in the order they came in: those of hellos and of heartbeats. */
  readonly adverts: Advert[] = []
  /** What was wrong with adverts. */
  readonly refusedAdverts: unknown[] = []
  hellos = 0
  beats = 0
  readonly updates: AssignmentUpdate[] = []
  readonly goodbyes: string[] = []

  private constructor(host: MemoryHost, machine: VirtualProcess, model: HeldModel) {
    this.host = host
    this.#machine = machine
    this.#model = model
  }

  /** @param number of its address and its identity */
  static async start(
    network: SimulatedNetwork,
    machine: VirtualProcess,
    { number, model }: { number: number; model: HeldModel }
  ): Promise<ScriptedCoordinator> {
    const host = await createMemoryHost(network, {
      privateKey: await identityFromSeed(new Uint8Array(32).fill(number)),
      listen: [ScriptedCoordinator.addressOf(number)],
      agent: `${COORDINATOR_AGENT}/test`,
      scheduler: machine
    })
    const coordinator = new ScriptedCoordinator(host, machine, model)
    await host.handle(MEMBERSHIP_PROTOCOL, (stream, peerId) => coordinator.#accept(stream, peerId), {
      inboundStreamsMax: 4
    })
    return coordinator
  }

  static addressOf(number: number): string {
    return `/ip4/10.0.0.${number}/tcp/4701`
  }

  /** Whether the node is a member now. */
  get joined(): boolean {
    return this.#member !== undefined
  }

  /** States that were reported of a placement, in order. */
  states(placementId: string): string[] {
    return this.updates.filter(update => update.placementId === placementId).map(({ state }) => state)
  }

  /** What was reported last of a placement. */
  last(placementId: string): AssignmentUpdate | undefined {
    return this.updates.findLast(update => update.placementId === placementId)
  }

  assign(placementId: string, fields: Partial<Assign> = {}): void {
    const { manifest, manifestSha256, manifestBytes, contextLength, sessionsMax } = this.#model
    this.#send({
      type: 'assign',
      placementId,
      model: manifest.name,
      manifestSha256,
      manifestBytes,
      range: { first: 0, end: manifest.config.layerCount },
      contextLength,
      sessionsMax,
      sources: [],
      activationType: 'f32',
      ...fields
    })
  }

  release(placementId: string, reason: string): void {
    this.#send({ type: 'release', placementId, reason })
  }

  /** Ends the membership's stream without a word. */
  cut(): void {
    this.#member?.abort(new MeshError('unavailable', 'cut by the test'))
    this.#member = undefined
  }

  /** Asks the node for a session of a whole model. */
  async openSession(
    placementId: string,
    peerId: string,
    fields: Partial<OpenSession> = {},
    multiaddrs?: readonly string[]
  ): Promise<ControlStream> {
    const stream = await this.host.open(multiaddrs === undefined ? { peerId } : { peerId, multiaddrs }, STAGE_PROTOCOL)
    const said: StageFrame[] = []
    const control = { said, ended: false, send: (frame: StageFrame) => frames.send(frame) }
    const frames = new FrameStream<StageFrame, StageFrame>(
      stream,
      stageCodec,
      { onFrame: frame => void said.push(frame), onEnd: () => Object.assign(control, { ended: true }) },
      { frameBytesMax: STAGE_FRAME_BYTES_MAX, scheduler: this.#machine }
    )
    void frames.send({
      type: 'open',
      session: SESSION,
      epoch: 1,
      placementId,
      range: { first: 0, end: this.#model.manifest.config.layerCount },
      next: undefined,
      previousPeer: '',
      promptCount: 4,
      tokensMax: 8,
      prefillChunk: 4,
      endTokens: [],
      sampling: GREEDY,
      leaseMs: 24 * 3_600_000,
      logprobs: false,
      topLogprobs: 0,
      ...fields
    })
    return control
  }

  /** Asks the node for a blob. @returns what came of it, with the code of the node's refusal */
  async askForBlob(sha256: string, peerId: string, multiaddrs?: readonly string[]): Promise<string> {
    const source = multiaddrs === undefined ? { peerId } : { peerId, multiaddrs }
    const scheduler = this.#machine
    const fetching = fetchBlob(this.host, { sha256, bytes: 1, sources: [source] }, this.#model.store, { scheduler })
    return await fetching.then(
      () => 'fetched',
      (error: unknown) => MeshError.from(error).message
    )
  }

  #send(message: CoordinatorMessage): void {
    if (this.#member === undefined) throw new Error('the node is no member')
    void this.#member.send(message)
  }

  #accept(stream: ByteStream, peerId: string): void {
    this.#node = peerId
    const frames: MemberStream = new FrameStream<CoordinatorMessage, NodeMessage>(
      stream,
      membershipCoordinatorCodec,
      {
        onFrame: message => this.#receive(message, frames),
        onEnd: () => {
          if (this.#member === frames) this.#member = undefined
        }
      },
      { frameBytesMax: MEMBERSHIP_FRAME_BYTES_MAX, scheduler: this.#machine }
    )
  }

  async #receive(message: NodeMessage, frames: MemberStream): Promise<void> {
    switch (message.type) {
      case 'hello':
        this.hellos += 1
        await this.#read(message.advert)
        if (this.refusal !== undefined) {
          await frames.send({ type: 'refused', error: this.refusal })
          return await frames.close()
        }
        this.#member = frames
        return await frames.send({
          type: 'welcome',
          heartbeatIntervalMs: HEARTBEAT_MS,
          heartbeatMissesMax: MISSES_MAX
        })
      case 'heartbeat': {
        this.beats += 1
        if (message.advert !== undefined) await this.#read(message.advert)
        if (!this.answers) return
        const { members } = this
        this.members = undefined
        return await frames.send({
          type: 'heartbeat_ack',
          sequence: message.sequence,
          ...(members === undefined ? {} : { members })
        })
      }
      case 'assignment':
        this.updates.push(message)
        return
      case 'goodbye':
        this.goodbyes.push(message.reason)
    }
  }

  /** As a coordinator takes it: signed by the node, holding now, newer than the last. */
  async #read(sealed: Uint8Array): Promise<void> {
    const last = this.adverts.at(-1)?.sequence
    try {
      const init = { now: this.#machine.now(), expectedPeer: this.#node }
      this.adverts.push(await openAdvert(sealed, last === undefined ? init : { ...init, lastSequence: last }))
    } catch (error) {
      this.refusedAdverts.push(error)
    }
  }
}
