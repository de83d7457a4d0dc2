import { type Advert, MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import {
  type AssignmentUpdate,
  type ByteStream,
  type CoordinatorMessage,
  FrameStream,
  type Hello,
  MEMBERSHIP_FRAME_BYTES_MAX,
  membershipCoordinatorCodec,
  NODE_MESSAGE_BYTES_MAX,
  type NodeMessage
} from '@resultity/wire'
import { TokenBucket } from './token-bucket.ts'

/**
 * - `greeting` nothing but a Hello may come
 * - `opening`  a Hello came, its advert is being verified
 * - `member`   the node was welcomed
 * - `ended`    the node left, was refused, or was replaced
 */
export type MemberLinkState = 'greeting' | 'opening' | 'member' | 'ended'

/** The decisions and notifications of the link's owner. */
export interface MemberLinkHandlers {
  /** The current time in milliseconds. */
  now(): number
  /**
   * Whether this peer may join at all; asked before its signature is worth the work.
   * @param invite that it shows
   * @throws MeshError why not
   */
  admit(invite: string | undefined): Promise<void>
  /** Peer ids of all members, unless this link already has the latest list. */
  membersFor(link: MemberLink): readonly string[] | undefined
  /**
   * Verifies a sealed advert of this peer.
   * @throws MeshError when it is forged, expired, older than the last one, or malformed
   */
  openAdvert(sealed: Uint8Array, lastSequence: number | undefined): Promise<Advert>
  /** @throws MeshError when the node is not taken */
  joined(link: MemberLink, advert: Advert): void
  seen(link: MemberLink, advert: Advert | undefined): void
  assignment(link: MemberLink, update: AssignmentUpdate): void
  /** Called at least once, whether or not the node had joined. */
  ended(link: MemberLink, reason: string): void
}

export interface MemberLinkInit {
  readonly helloTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly heartbeatMissesMax: number
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/** Messages of one node: reports of fetched bytes come the fastest. */
const MESSAGES_BURST = 1024
const MESSAGES_PER_SECOND = 512
/**
 * Adverts of one node in a burst. Each is a signature to check; an honest node sends at most one with each heartbeat.
 */
const ADVERTS_BURST = 16
const ADVERTS_PER_HEARTBEAT = 2

/** One node's membership stream, from its Hello to its end. */
export class MemberLink {
  readonly peerId: string
  readonly #handlers: MemberLinkHandlers
  readonly #init: MemberLinkInit
  readonly #frames: FrameStream<CoordinatorMessage, NodeMessage>
  readonly #scheduler: Scheduler
  readonly #helloTimer: Timer
  readonly #messages: TokenBucket
  readonly #adverts: TokenBucket
  #state: MemberLinkState = 'greeting'
  #lastSequence: number | undefined

  constructor(stream: ByteStream, peerId: string, handlers: MemberLinkHandlers, init: MemberLinkInit) {
    this.peerId = peerId
    this.#handlers = handlers
    this.#init = init
    const { scheduler = systemScheduler } = init
    this.#scheduler = scheduler
    const advertsPerSecond = Math.max(1, (ADVERTS_PER_HEARTBEAT * 1000) / init.heartbeatIntervalMs)
    this.#messages = new TokenBucket(MESSAGES_BURST, MESSAGES_PER_SECOND, handlers.now())
    this.#adverts = new TokenBucket(ADVERTS_BURST, advertsPerSecond, handlers.now())
    this.#helloTimer = scheduler.setTimeout(() => {
      this.refuse(new MeshError('deadline_exceeded', `no Hello came within ${init.helloTimeoutMs} ms`))
    }, init.helloTimeoutMs)
    this.#frames = new FrameStream(
      stream,
      membershipCoordinatorCodec,
      { onFrame: message => this.#onMessage(message), onEnd: error => this.#end(error?.message ?? 'it disconnected') },
      { frameBytesMax: MEMBERSHIP_FRAME_BYTES_MAX, receivedBytesMax: NODE_MESSAGE_BYTES_MAX, scheduler }
    )
  }

  /** Whether a Hello has come. */
  get greeted(): boolean {
    return this.#state !== 'greeting'
  }

  /** A node that does not read its orders in time is noticed by its stream ending. */
  send(message: CoordinatorMessage): void {
    void this.#frames.send(message)
  }

  /** Ends the stream, after telling the node why. */
  refuse(error: MeshError): void {
    this.#end(error.message)
    // the codec has a last frame for that, sent before the stream is cut
    this.#frames.fail(error)
  }

  #onMessage(message: NodeMessage): void | Promise<void> {
    if (!this.#messages.take(this.#handlers.now())) throw tooOften('messages')
    if (message.type === 'hello') return this.#onHello(message)
    if (this.#state !== 'member') throw new MeshError('protocol_violation', `"${message.type}" came before a Hello`)
    switch (message.type) {
      case 'heartbeat':
        return this.#onHeartbeat(message.sequence, message.advert)
      case 'assignment':
        this.#handlers.seen(this, undefined)
        return this.#handlers.assignment(this, message)
      case 'goodbye':
        this.#end(`it said goodbye: ${message.reason.slice(0, 200)}`)
        return this.#close()
    }
  }

  async #onHello({ advert: sealed, invite }: Hello): Promise<void> {
    if (this.#state !== 'greeting') throw new MeshError('protocol_violation', 'a second Hello came')
    this.#state = 'opening'
    this.#scheduler.clear(this.#helloTimer)
    try {
      await this.#handlers.admit(invite)
      const advert = await this.#handlers.openAdvert(sealed, undefined)
      // the stream may have ended while all that was checked
      if (this.#state !== 'opening') return
      this.#lastSequence = advert.sequence
      this.#handlers.joined(this, advert)
      this.#state = 'member'
      const { heartbeatIntervalMs, heartbeatMissesMax } = this.#init
      this.send({ type: 'welcome', heartbeatIntervalMs, heartbeatMissesMax })
    } catch (error) {
      this.refuse(MeshError.from(error))
    }
  }

  #onHeartbeat(sequence: number, sealed: Uint8Array | undefined): void | Promise<void> {
    const members = this.#handlers.membersFor(this)
    this.send({ type: 'heartbeat_ack', sequence, ...(members === undefined ? {} : { members }) })
    if (sealed === undefined) return this.#handlers.seen(this, undefined)
    return this.#onAdvert(sealed)
  }

  async #onAdvert(sealed: Uint8Array): Promise<void> {
    if (!this.#adverts.take(this.#handlers.now())) throw tooOften('adverts')
    const advert = await this.#handlers.openAdvert(sealed, this.#lastSequence)
    this.#lastSequence = advert.sequence
    if (this.#state === 'member') this.#handlers.seen(this, advert)
  }

  #end(reason: string): void {
    this.#scheduler.clear(this.#helloTimer)
    this.#state = 'ended'
    this.#handlers.ended(this, reason)
  }

  async #close(): Promise<void> {
    try {
      await this.#frames.close({ signal: this.#scheduler.timeoutSignal(this.#init.heartbeatIntervalMs) })
    } catch (error) {
      this.#frames.abort(MeshError.from(error))
    }
  }
}

function tooOften(what: string): MeshError {
  return new MeshError('rate_limited', `${what} come faster than any node of this release sends them`, {
    hint: 'The node is faulty or runs another release; compare the versions on both sides.'
  })
}
