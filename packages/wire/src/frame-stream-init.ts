import type { MeshError, Scheduler } from '@resultity/interface'
import type { ByteBudget } from './receive-budget.ts'

export interface FrameHandlers<In> {
  /**
   * Called for one frame after the other. While a returned promise is pending, the next frame waits, and in time the
   * sender. An error ends the stream, as `fail` does.
   */
  onFrame(frame: In): void | Promise<void>
  /** Bytes came, of a whole frame or of a part of one. */
  onBytes?(): void
  /** Called exactly once, after the last frame: undefined when the peer ended its side between two frames. */
  onEnd(error: MeshError | undefined): void
}

export interface FrameStreamInit {
  /** Largest body, in both directions, in bytes. */
  readonly frameBytesMax: number
  /** Largest body received, where it is not as large as one to send. */
  readonly receivedBytesMax?: number
  /** Limits of the peer's first frame: a body of at most `bytesMax`, within `timeoutMs`. Later frames may be larger. */
  readonly firstFrame?: { readonly bytesMax: number; readonly timeoutMs: number }
  /** Budget for the memory of partly received frames. */
  readonly budget?: ByteBudget
  /**
   * Bytes that may wait to be sent to a peer that does not read; above that the stream ends. Default 4 ×
   * `frameBytesMax`.
   */
  readonly queuedBytesMax?: number
  /** Keeps this side open after the peer has ended its side. Default false: this side is then closed too. */
  readonly allowHalfOpen?: boolean
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}
