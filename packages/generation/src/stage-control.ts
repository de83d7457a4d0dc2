import {
  type AbortOptions,
  formatRange,
  MeshError,
  type Scheduler,
  type StagePlacement,
  systemScheduler
} from '@resultity/interface'
import {
  type ByteStream,
  type CloseSession,
  FrameStream,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  STAGE_REPORT_BYTES_MAX,
  type StageFrame,
  stageCodec
} from '@resultity/wire'

/** Where a node can be reached. */
export interface NodeAddress {
  readonly peerId: string
  readonly multiaddrs: readonly string[]
}

/** Opens streams to peers; the mesh host does. */
export interface StreamOpener {
  /** @throws MeshError `peer_unreachable`, `peer_refused`, `deadline_exceeded` */
  open(
    peer: { readonly peerId: string; readonly multiaddrs?: readonly string[] },
    protocol: string,
    options?: AbortOptions
  ): Promise<ByteStream>
}

export interface StageControlOptions extends AbortOptions {
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface StageControlHandlers {
  onFrame(frame: StageFrame): void
  /** Called once: undefined when the stage ended its side cleanly. */
  onEnd(error: MeshError | undefined): void
}

/** The coordinator's control stream to one stage of a route. While it is open, the session's slot there is taken. */
export class StageControl {
  readonly stage: StagePlacement
  readonly #scheduler: Scheduler
  readonly #frames: FrameStream<StageFrame, StageFrame>
  readonly #ended = Promise.withResolvers<void>()

  private constructor(stage: StagePlacement, stream: ByteStream, handlers: StageControlHandlers, scheduler: Scheduler) {
    this.stage = stage
    this.#scheduler = scheduler
    this.#frames = new FrameStream(
      stream,
      stageCodec,
      {
        onFrame: frame => handlers.onFrame(frame),
        onEnd: error => {
          this.#ended.resolve()
          handlers.onEnd(error)
        }
      },
      { frameBytesMax: STAGE_FRAME_BYTES_MAX, receivedBytesMax: STAGE_REPORT_BYTES_MAX, scheduler }
    )
  }

  /** @throws MeshError `node_lost` naming the node and its layers when it cannot be reached */
  static async open(
    opener: StreamOpener,
    stage: StagePlacement,
    address: NodeAddress,
    handlers: StageControlHandlers,
    { scheduler = systemScheduler, ...options }: StageControlOptions
  ): Promise<StageControl> {
    try {
      return new StageControl(stage, await opener.open(address, STAGE_PROTOCOL, options), handlers, scheduler)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw stageLost(stage, 'could not be reached', error, { unreached: true })
    }
  }

  send(frame: StageFrame): Promise<void> {
    return this.#frames.send(frame)
  }

  /**
   * Tells the stage that the session is over, and waits until it has ended the stream too: the slot is free then. If
   * the stage does not answer within `closeMs`, the stream is cut, which frees the slot as well.
   */
  async end(close: CloseSession, closeMs: number): Promise<void> {
    const late = (): void => this.abort(new MeshError('deadline_exceeded', 'the stage did not end'))
    const cut = this.#scheduler.setTimeout(late, closeMs)
    try {
      await this.#frames.send(close)
      await this.#frames.close()
      await this.#ended.promise
    } catch (error) {
      // the stream broke before: the stage has freed the slot because of that
      this.abort(MeshError.from(error))
    } finally {
      this.#scheduler.clear(cut)
    }
  }

  abort(error: MeshError): void {
    this.#frames.abort(error)
    this.#ended.resolve()
  }
}

/** What a program wants to know of a lost stage. */
export interface LossFacts {
  /** It never heard of the session. */
  readonly unreached?: true
  /** What it computed is of no use. */
  readonly faulty?: true
  /** That it was lost from. */
  readonly placementId?: string
}

/** `node_lost`, naming the node and the layers it served. */
export function stageLost(stage: StagePlacement, what: string, cause?: unknown, facts: LossFacts = {}): MeshError {
  const reason = cause instanceof Error ? `: ${cause.message}` : ''
  return new MeshError('node_lost', `node ${stage.peerId} with layers ${formatRange(stage.range)} ${what}${reason}`, {
    hint: 'Send the request again: it will run on other nodes if they have room for these layers.',
    details: { peerId: stage.peerId, range: stage.range, ...facts },
    cause
  })
}

/** `node_lost`, naming both nodes of a link: neither is lost, and nothing passes between them. */
export function linkLost(
  [from, to]: readonly [StagePlacement, StagePlacement],
  what: string,
  cause?: unknown,
  facts: LossFacts & { readonly again?: true } = {}
): MeshError {
  const nodes = [from, to].map(({ peerId, range }) => `node ${peerId} with layers ${formatRange(range)}`)
  const reason = cause instanceof Error ? `: ${cause.message}` : ''
  return new MeshError('node_lost', `the link from ${nodes.join(' to ')} ${what}${reason}`, {
    hint: 'Both nodes run; see that they reach each other. Send the request again: other nodes may do.',
    details: { link: [from.peerId, to.peerId], ...facts },
    cause
  })
}

/** An error that a stage reported, naming the stage; a neighbour it lost is a lost node to the client too. */
export function stageFault(stage: StagePlacement, error: MeshError, facts: LossFacts = {}): MeshError {
  return new MeshError(
    isNeighbourLoss(error) ? 'node_lost' : error.code,
    `node ${stage.peerId} with layers ${formatRange(stage.range)}: ${error.message}`,
    {
      hint: error.hint,
      details: { peerId: stage.peerId, range: stage.range, ...facts },
      cause: error
    }
  )
}

/** Whether a stage's fault says that another stage went away, rather than that itself is broken. */
export function isNeighbourLoss(error: MeshError): boolean {
  return error.code === 'node_lost' || error.code === 'peer_unreachable' || error.code === 'unavailable'
}
