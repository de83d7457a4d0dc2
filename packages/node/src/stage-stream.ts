import { MeshError, type Scheduler } from '@resultity/interface'
import type { FrameStream, StageFrame } from '@resultity/wire'

/** A control stream or a hop. */
export type StageStream = FrameStream<StageFrame, StageFrame>

/** Time for a last frame to reach a peer that hardly reads. */
const LAST_FRAME_MS = 2000

/**
 * Sends a frame and ends this side of the stream. Never rejects: a peer that does not take the frame in time is cut off,
 * and `onEnd` of the stream has heard of any other failure.
 */
export async function sendLast(stream: StageStream, frame: StageFrame, scheduler: Scheduler): Promise<void> {
  const signal = scheduler.timeoutSignal(LAST_FRAME_MS)
  try {
    await stream.send(frame, { signal })
    await stream.close({ signal })
  } catch (error) {
    stream.abort(MeshError.from(error))
  }
}
