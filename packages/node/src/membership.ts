import { MeshError, withDeadline } from '@resultity/interface'
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
}

export interface MembershipInit {
  readonly coordinator: PeerAddress
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
  #heartbeat: NodeJS.Timeout | undefined
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
    return withDeadline(
      `joining the coordinator ${init.coordinator.peerId}`,
      init.helloTimeoutMs,
      async signal => {
        const stream = await components.host.open(init.coordinator, MEMBERSHIP_PROTOCOL, { signal })
        const membership = new Membership(
          components,
          init,
          handlers =>
            new FrameStream(stream, membershipNodeCodec, handlers, { frameBytesMax: MEMBERSHIP_FRAME_BYTES_MAX })
        )
        try {
          await membership.#hello()
        } catch (error) {
          membership.#stream.abort(MeshError.from(error))
          throw error
        }
        return membership
      },
      { signal }
    )
  }

  get token(): object {
    return this.#components.token
  }

  /** Resolves when the membership is over; with the error that ended it, if one did. */
  get ended(): Promise<MeshError | undefined> {
    return this.#ended.promise
  }

  /** Says goodbye and ends the stream. */
  async leave(reason: string): Promise<void> {
    clearInterval(this.#heartbeat)
    if (this.#stream.closed) return
    try {
      await withDeadline('saying goodbye', GOODBYE_MS, async signal => {
        await this.#stream.send({ type: 'goodbye', reason }, { signal })
        await this.#stream.close({ signal })
      })
    } catch (error) {
      this.#stream.abort(MeshError.from(error))
    }
  }

  async #hello(): Promise<void> {
    this.#advertFingerprint = this.#components.advertiser.fingerprint()
    await this.#stream.send({ type: 'hello', advert: await this.#components.advertiser.seal() })
    this.#advertSentAt = performance.now()
    const { heartbeatIntervalMs, heartbeatMissesMax } = await this.#welcome.promise
    this.#heartbeat = setInterval(() => {
      this.#beat(heartbeatMissesMax).catch((error: unknown) => this.#stream.abort(MeshError.from(error)))
    }, heartbeatIntervalMs)
  }

  async #beat(missesMax: number): Promise<void> {
    if (this.#sequence - this.#acknowledged >= missesMax) {
      const coordinator = this.#init.coordinator.peerId
      throw new MeshError('peer_unreachable', `the coordinator ${coordinator} left ${missesMax} heartbeats unanswered`)
    }
    await this.#stream.send({ type: 'heartbeat', sequence: ++this.#sequence, advert: await this.#freshAdvert() })
  }

  /** A new advert when the old one no longer holds, or has lived half its time. */
  async #freshAdvert(): Promise<Uint8Array | undefined> {
    const fingerprint = this.#components.advertiser.fingerprint()
    const old = performance.now() - this.#advertSentAt > this.#init.advertTtlMs / 2
    if (fingerprint === this.#advertFingerprint && !old) return undefined
    this.#advertFingerprint = fingerprint
    this.#advertSentAt = performance.now()
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
    clearInterval(this.#heartbeat)
    const peerId = this.#init.coordinator.peerId
    this.#welcome.reject(
      error ?? new MeshError('peer_refused', `the coordinator ${peerId} closed the stream without a word`)
    )
    this.#ended.resolve(error)
  }
}
