import { MeshError, withDeadline } from '@resultity/interface'
import {
  BLOB_FRAME_BYTES_MAX,
  BLOB_PROTOCOL,
  type ByteStream,
  blobRequestCodec,
  type FrameCodec,
  FrameStream,
  JOB_FRAME_BYTES_MAX,
  JOB_PROTOCOL,
  jobRequestCodec,
  MEMBERSHIP_FRAME_BYTES_MAX,
  MEMBERSHIP_PROTOCOL,
  membershipNodeCodec,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  stageCodec
} from '@resultity/wire'

/** The stream ended without a word: reset, or closed. */
export const CLOSED = 'closed'
/** Neither an answer nor an end. */
export const SILENCE = 'silence'

/** Longer than any time limit of a daemon, on a busy machine too. */
const PATIENCE_MS = 60_000

/** How a protocol is spoken by whoever opens its streams. */
export interface Spoken<Out, In> {
  readonly protocol: string
  readonly codec: FrameCodec<Out, In>
  readonly frameBytesMax: number
  /** What a message says of what was tried; undefined: that comes later. */
  readonly said: (message: In) => string | undefined
}

function spoken<Out, In>(of: Spoken<Out, In>): Spoken<Out, In> {
  return of
}

/** Of each protocol, what the other side says: the code of its refusal, or the kind of its message. */
export const STAGE = spoken({
  protocol: STAGE_PROTOCOL,
  codec: stageCodec,
  frameBytesMax: STAGE_FRAME_BYTES_MAX,
  said: frame => (frame.type === 'fault' ? frame.error.code : frame.type === 'link_fault' ? undefined : frame.type)
})
export const JOB = spoken({
  protocol: JOB_PROTOCOL,
  codec: jobRequestCodec,
  frameBytesMax: JOB_FRAME_BYTES_MAX,
  said: event => (event.type === 'error' ? event.error.code : event.type)
})
export const BLOB = spoken({
  protocol: BLOB_PROTOCOL,
  codec: blobRequestCodec,
  frameBytesMax: BLOB_FRAME_BYTES_MAX,
  said: response => (response.type === 'error' ? response.error.code : response.type)
})
export const MEMBERSHIP = spoken({
  protocol: MEMBERSHIP_PROTOCOL,
  codec: membershipNodeCodec,
  frameBytesMax: MEMBERSHIP_FRAME_BYTES_MAX,
  // what a member hears anyway says nothing
  said: message =>
    message.type === 'refused' ? message.error.code : message.type === 'welcome' ? message.type : undefined
})

export interface Said<Out> {
  readonly frames?: readonly Out[]
  /** Bytes that are no frames, after them. Each is sent once there is room. */
  readonly bytes?: Iterable<Uint8Array>
  /** Keeps the own side open after the last of it. Default true. */
  readonly open?: boolean
}

/**
 * Says something on a stream of its own.
 * @returns the other side's first answer: a code, the kind of a message, {@link CLOSED} or {@link SILENCE}
 */
export async function answerTo<Out, In>(
  stream: ByteStream,
  { codec, frameBytesMax, said }: Spoken<Out, In>,
  { frames = [], bytes = [], open = true }: Said<Out>
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const own = new FrameStream<Out, In>(
    stream,
    codec,
    {
      onFrame: message => {
        const answer = said(message)
        if (answer !== undefined) resolve(answer)
      },
      onEnd: () => resolve(CLOSED)
    },
    { frameBytesMax, queuedBytesMax: Number.POSITIVE_INFINITY, allowHalfOpen: true }
  )
  try {
    for (const frame of frames) void own.send(frame)
    await sendAll(stream, bytes, promise)
    if (!open) void own.close().catch(() => undefined)
    return await withDeadline('an answer to an attack', PATIENCE_MS, () => promise)
  } catch (error) {
    return MeshError.from(error).code === 'deadline_exceeded' ? SILENCE : CLOSED
  } finally {
    own.abort(new MeshError('canceled', 'the attempt is over'))
  }
}

/** Sends piece by piece, as fast as the other side takes them, until it answers. */
async function sendAll(stream: ByteStream, pieces: Iterable<Uint8Array>, answer: Promise<string>): Promise<void> {
  let answered = false
  const done = answer.then(() => {
    answered = true
  })
  for (const piece of pieces) {
    // lets what has come in be read
    await new Promise(resolve => setImmediate(resolve))
    if (answered || stream.status !== 'open') return
    if (stream.send(piece)) continue
    const { promise, resolve } = Promise.withResolvers<void>()
    stream.addEventListener('drain', () => resolve())
    await Promise.race([promise, done])
  }
}

/** The header of a frame of `length` bytes, of which these come. */
export function framed(length: number, body = new Uint8Array(0)): Uint8Array {
  return Buffer.concat([Uint8Array.of(length, length >>> 8, length >>> 16, length >>> 24), body])
}
