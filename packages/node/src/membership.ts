import { MeshError, type Scheduler, systemScheduler, type Timer, withDeadline } from '@resultity/interface'
import type { MeshHost, PeerAddress } from '@resultity/mesh'
import {
  type Assign,
  type AssignmentUpdate,
  type CoordinatorMessage,
  FrameStream,
  MEMBERSHIP_FRAME_BYTES_MAX,
  MEMBERSHIP_PROTOCOL,
  membershipNodeCodec,
  type NodeMessage,
  type Release,
  type Welcome
} from '@resultity/wire'
import type { Logger } from 'pino'
import type { Advertiser } from './advertiser.ts'

export interface MembershipComponents {
  readonly host: MeshHost
  readonly advertiser: Advertiser
  readonly logger: Logger
  readonly onAssign: (assign: Assign, report: (update: AssignmentUpdate) => void) => void
  readonly onRelease: (release: Release) => void
  /** The coordinator's members, when they have changed. */
  readonly onMembers: (peerIds: readonly string[]) => void
  /** Stands for this membership where something must remember which one it came by. */
  readonly token: object
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface MembershipInit {
  readonly coordinator: PeerAddress
  /** Shown to it. */
  readonly invite?: string
  readonly helloTimeoutMs: number
  readonly advertTtlMs: number
}

/** A coordinator that does not read must not keep a node from stopping. */
const GOODBYE_MS = 2000

/** The first state of an assignment, to be spread over. */
export const NO_PROGRESS = {
  type: 'assignment',
  bytesDone: 0,
  bytesTotal: 0,
  decodeMsPerLayer: 0,
  prefillMsPerPositionLayer: 0,
  fixedDecodeMs: 0,
  selfTestSha256: '',
  memoryBytes: 0,
  error: undefined
} as const

/**
 * One membership of this node with one coordinator, from hello to the end of the stream: heartbeats with fresh adverts,
 * assignments and releases. The membership ends when the other side is silent for too long.
 */
export class Membership {
  readonly #components: MembershipComponents
  readonly #init: MembershipInit
  readonly #stream: FrameStream<NodeMessage, CoordinatorMessage>
  readonly #welcome = Promise.withResolvers<Welcome>()
  readonly #ended = Promise.withResolvers<MeshError | undefined>()
  readonly #scheduler: Scheduler
  #heartbeat: Timer | undefined
  #sequence = 0
  #acknowledged = 0
  #advertFingerprint = ''
  #advertSentAt = 0

  private constructor(
    components: MembershipComponents,
    init: MembershipInit,
    open: (handlers: {
      onFrame: (message: CoordinatorMessage) => void
      onEnd: (error: MeshError | undefined) => void
    }) => FrameStream<NodeMessage, CoordinatorMessage>
  ) {
    this.#components = components
    this.#init = init
    this.#scheduler = components.scheduler ?? systemScheduler
    this.#stream = open({ onFrame: message => this.#receive(message), onEnd: error => this.#end(error) })
    // a membership may end before anyone waits for its welcome: no unhandled rejection
    this.#welcome.promise.catch(() => {})
  }

  /**
   * Joins the coordinator.
   *
   * @throws MeshError `peer_unreachable`, `peer_refused`, `protocol_version`, `deadline_exceeded`, or the error that
   *   the coordinator refused with
   */
  static join(components: MembershipComponents, init: MembershipInit, signal: AbortSignal): Promise<Membership> {
    const { scheduler = systemScheduler } = components
    return withDeadline(
      `joining the coordinator ${init.coordinator.peerId}`,
      init.helloTimeoutMs,
      async signal => {
        const stream = await components.host.open(init.coordinator, MEMBERSHIP_PROTOCOL, { signal })
        const membership = new Membership(
          components,
          init,
          handlers =>
            new FrameStream(stream, membershipNodeCodec, handlers, {
              frameBytesMax: MEMBERSHIP_FRAME_BYTES_MAX,
              scheduler
            })
        )
        // a welcome that comes too late must not start a membership that nobody follows
        using _ended = membership.#stream.abortOn(signal)
        try {
          await membership.#hello()
        } catch (error) {
          membership.#stream.abort(MeshError.from(error))
          throw error
        }
        return membership
      },
      { signal, scheduler }
    )
  }

  get token(): object {
    return this.#components.token
  }

  /** Resolves when the membership is over; with the error that ended it, if one did. */
  get ended(): Promise<MeshError | undefined> {
    return this.#ended.promise
  }

  /** Tells the coordinator what has changed, before the next heartbeat is due. */
  async tell(): Promise<void> {
    if (this.#stream.closed) return
    await this.#stream.send({ type: 'heartbeat', sequence: ++this.#sequence, advert: await this.#freshAdvert() })
  }

  /** Says goodbye and ends the stream. */
  async leave(reason: string): Promise<void> {
    this.#scheduler.clear(this.#heartbeat)
    if (this.#stream.closed) return
    try {
      const part = async (signal: AbortSignal): Promise<void> => {
        await this.#stream.send({ type: 'goodbye', reason }, { signal })
        await this.#stream.close({ signal })
        // it has read the goodbye once it ends its side; a stalled link takes bytes and carries none
        await this.#ended.promise
      }
      await withDeadline('saying goodbye', GOODBYE_MS, part, { scheduler: this.#scheduler })
    } catch (error) {
      this.#stream.abort(MeshError.from(error))
    }
  }

  async #hello(): Promise<void> {
    this.#advertFingerprint = this.#components.advertiser.fingerprint()
    const advert = await this.#components.advertiser.seal()
    const { invite } = this.#init
    await this.#stream.send({ type: 'hello', advert, ...(invite === undefined ? {} : { invite }) })
    this.#advertSentAt = this.#scheduler.monotonic()
    const { heartbeatIntervalMs, heartbeatMissesMax } = await this.#welcome.promise
    this.#heartbeat = this.#scheduler.setInterval(() => {
      this.#beat(heartbeatMissesMax).catch((error: unknown) => this.#stream.abort(MeshError.from(error)))
    }, heartbeatIntervalMs)
  }

  async #beat(missesMax: number): Promise<void> {
    if (this.#sequence - this.#acknowledged >= missesMax) {
      const coordinator = this.#init.coordinator.peerId
      throw new MeshError('peer_unreachable', `the coordinator ${coordinator} left ${missesMax} heartbeats unanswered`)
    }
    await this.tell()
  }

  /** A new advert when the old one no longer holds, or has lived half its time. */
  async #freshAdvert(): Promise<Uint8Array | undefined> {
    const fingerprint = this.#components.advertiser.fingerprint()
    const old = this.#scheduler.monotonic() - this.#advertSentAt > this.#init.advertTtlMs / 2
    if (fingerprint === this.#advertFingerprint && !old) return undefined
    this.#advertFingerprint = fingerprint
    this.#advertSentAt = this.#scheduler.monotonic()
    return this.#components.advertiser.seal()
  }

  #receive(message: CoordinatorMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#welcome.resolve(message)
        break
      case 'refused':
        this.#welcome.reject(message.error)
        break
      case 'heartbeat_ack':
        this.#acknowledged = Math.max(this.#acknowledged, message.sequence)
        if (message.members !== undefined) this.#components.onMembers(message.members)
        break
      case 'assign':
        this.#components.onAssign(message, update => this.#report(update))
        break
      case 'release':
        this.#components.onRelease(message)
    }
  }

  #report(update: AssignmentUpdate): void {
    if (this.#stream.closed) return
    this.#stream.send(update).catch((error: unknown) => {
      this.#components.logger.debug({ err: error, placement: update.placementId }, 'an assignment update was not sent')
    })
  }

  #end(error: MeshError | undefined): void {
    this.#scheduler.clear(this.#heartbeat)
    const peerId = this.#init.coordinator.peerId
    this.#welcome.reject(
      error ?? new MeshError('peer_refused', `the coordinator ${peerId} closed the stream without a word`)
    )
    this.#ended.resolve(error)
  }
}
