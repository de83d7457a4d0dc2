import type { MeshHost } from '@resultity/mesh'
import {
  type ByteStream,
  FrameStream,
  type OpenSession,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'

/** What a stage says instead of what it computed. */
export type Lie = 'token' | 'hidden'

type StageFrames = FrameStream<StageFrame, StageFrame>

/** Beyond every vocabulary. */
const TOKEN = 0xffff_fff0
/** Of tiny-chat. */
const HIDDEN_SIZE = 128

/** A stage of a member that lies. It opens sessions as any other does. */
export class LyingStage {
  readonly #host: MeshHost
  readonly #lie: Lie
  /** Called with each session, before it is open. */
  readonly #onSession: (open: OpenSession) => Promise<void>

  constructor(host: MeshHost, lie: Lie, onSession: (open: OpenSession) => Promise<void>) {
    this.#host = host
    this.#lie = lie
    this.#onSession = onSession
  }

  async listen(): Promise<void> {
    await this.#host.handle(STAGE_PROTOCOL, stream => this.#accept(stream), { inboundStreamsMax: 64 })
  }

  #accept(stream: ByteStream): void {
    let open: OpenSession | undefined
    let next: StageFrames | undefined
    const frames: StageFrames = framesOn(stream, async frame => {
      if (frame.type === 'try_hop') void frames.send({ type: 'hop_tried', placementId: frame.placementId })
      if (frame.type === 'probe') void frames.send({ ...frame, type: 'probe_ack' })
      if (frame.type === 'open') {
        const begun = { ...frame, session: frame.session.slice() }
        open = begun
        await this.#onSession(begun)
        next = await this.#join(begun)
        void frames.send({ type: 'opened', session: begun.session, epoch: begun.epoch })
        // the last of several stages hears of the prompt by hidden states, and does not wait for them
        if (begun.next !== undefined && begun.range.first > 0) this.#sendLie(begun, frames, next)
      }
      if (frame.type === 'prompt' && open !== undefined) this.#sendLie(open, frames, next)
    })
  }

  /** The next stage hears of the session as it should. */
  async #join({ next, session, epoch }: OpenSession): Promise<StageFrames | undefined> {
    if (next === undefined) return undefined
    const frames = framesOn(await this.#host.open(next, STAGE_PROTOCOL), () => {})
    await frames.send({ type: 'join', session, epoch })
    return frames
  }

  #sendLie(
    { session, epoch, promptCount, range }: OpenSession,
    control: StageFrames,
    next: StageFrames | undefined
  ): void {
    if (next === undefined) {
      const said = { position: promptCount, token: TOKEN, finish: 'continues' as const, logprob: 0, top: [] }
      void control.send({ type: 'sampled', session, epoch, ...said })
    } else if (this.#lie === 'hidden' && range.first === 0) {
      const hidden = new Uint8Array(new Float32Array(HIDDEN_SIZE * promptCount).fill(Number.NaN).buffer)
      void next.send({ type: 'activations', session, epoch, position: 0, count: promptCount, hidden })
    } else {
      void next.send({ type: 'next', session, epoch, position: promptCount, token: TOKEN })
    }
  }
}

function framesOn(stream: ByteStream, onFrame: (frame: StageFrame) => void | Promise<void>): StageFrames {
  return new FrameStream<StageFrame, StageFrame>(
    stream,
    stageCodec,
    { onFrame, onEnd: () => {} },
    { frameBytesMax: STAGE_FRAME_BYTES_MAX }
  )
}
