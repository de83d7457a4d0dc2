import type { MeshError } from '@resultity/interface'
import {
  type Assign,
  type AssignmentUpdate,
  type CoordinatorMessage,
  FrameStream,
  type NodeMessage
} from '@resultity/wire'
import type { Attacker, Target } from './attacker.ts'
import { CLOSED, MEMBERSHIP } from './conversation.ts'

export interface MemberInit {
  /** Shown to the coordinator. */
  readonly invite: string
  /** Sealed. */
  readonly advert: Uint8Array
  readonly onAssign?: (assign: Assign, member: Member) => void
}

/** The membership of an attacker that was let in. */
export class Member implements AsyncDisposable {
  readonly #welcome = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<string>()
  readonly #frames: FrameStream<NodeMessage, CoordinatorMessage>
  readonly #init: MemberInit
  #acknowledged = 0
  #onAcknowledged: () => void = () => {}

  private constructor(
    init: MemberInit,
    open: (handlers: {
      onFrame: (message: CoordinatorMessage) => void
      onEnd: () => void
    }) => FrameStream<NodeMessage, CoordinatorMessage>
  ) {
    this.#init = init
    this.#frames = open({ onFrame: message => this.#hear(message), onEnd: () => this.#end(CLOSED) })
    this.#welcome.promise.catch(() => undefined)
  }

  /** Resolves when the coordinator has let it in. @throws Error with the code of its refusal */
  static async join(attacker: Attacker, coordinator: Target, init: MemberInit): Promise<Member> {
    const stream = await attacker.open(coordinator, MEMBERSHIP.protocol)
    const { codec, frameBytesMax } = MEMBERSHIP
    const limits = { frameBytesMax, queuedBytesMax: Number.POSITIVE_INFINITY }
    const member = new Member(init, handlers => new FrameStream(stream, codec, handlers, limits))
    member.say({ type: 'hello', advert: init.advert, invite: init.invite })
    await member.#welcome.promise
    return member
  }

  /** The code that the coordinator ended the membership with, or {@link CLOSED}. */
  get ended(): Promise<string> {
    return this.#ended.promise
  }

  say(message: NodeMessage): void {
    void this.#frames.send(message)
  }

  /** Resolves when the coordinator has taken in all that was said. */
  async heard(sequence: number): Promise<void> {
    this.say({ type: 'heartbeat', sequence, advert: undefined })
    while (this.#acknowledged < sequence) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onAcknowledged = resolve
      await Promise.race([promise, this.#ended.promise.then(code => Promise.reject(new Error(code)))])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#frames.abort(new Error('it left'))
  }

  #hear(message: CoordinatorMessage): void {
    if (message.type === 'welcome') this.#welcome.resolve()
    if (message.type === 'refused') this.#end(message.error.code)
    if (message.type === 'assign') this.#init.onAssign?.(message, this)
    if (message.type !== 'heartbeat_ack') return
    this.#acknowledged = message.sequence
    this.#onAcknowledged()
  }

  #end(code: string): void {
    this.#welcome.reject(new Error(code))
    this.#ended.resolve(code)
  }
}

/** What a node says of an assignment. */
export function updateOf(
  placementId: string,
  state: AssignmentUpdate['state'] = 'ready',
  error?: MeshError
): AssignmentUpdate {
  return {
    type: 'assignment',
    placementId,
    state,
    bytesDone: 0,
    bytesTotal: 0,
    decodeMsPerLayer: 1,
    prefillMsPerPositionLayer: 1,
    fixedDecodeMs: 1,
    selfTestSha256: '',
    memoryBytes: 0,
    error
  }
}
