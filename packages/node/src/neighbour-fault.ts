import { formatRange, MeshError } from '@resultity/interface'
import type { OpenSession } from '@resultity/wire'

/** A session that ends because of a neighbour. */
export interface FailingSession {
  readonly open: OpenSession
  hopBroke(peerId: string): void
  /** Ends it, and keeps what it has computed for another route. */
  lose(error: MeshError): void
  fail(error: MeshError): void
}

/** Codes of errors in what a peer sent, whatever state this node is in. */
const SENDERS: ReadonlySet<string> = new Set(['protocol_violation', 'frame_too_large'])

/**
 * The error that a session ends with because of what the previous stage sent: the coordinator gives that one's layers to
 * others. Another error, or where there is no previous stage, is returned as it is.
 */
export function blaming(error: MeshError, previousPeer: string): MeshError {
  if (!SENDERS.has(error.code) || previousPeer === '' || error.details.blamedPeer !== undefined) return error
  const { message, hint, details } = error
  // its code is one that a coordinator knows to end a session
  return new MeshError('protocol_violation', `the stage at ${previousPeer} broke the protocol: ${message}`, {
    hint,
    details: { ...details, blamedPeer: previousPeer },
    cause: error
  })
}

/** Takes in what the previous stage sent: what is refused before it is computed is its fault. */
export function blamingFor(previousPeer: string, take: () => Promise<void>): Promise<void> {
  try {
    return take()
  } catch (error) {
    throw blaming(MeshError.from(error, 'engine_failed'), previousPeer)
  }
}

/** Ends a session whose hop from or to a neighbour has ended. */
export function loseHop(session: FailingSession, which: 'previous' | 'next', peerId: string, cause?: MeshError): void {
  const blamed = which === 'previous' && cause !== undefined ? blaming(cause, peerId) : cause
  // bytes that are no frames: the link carries them well
  if (blamed?.details.blamedPeer !== undefined) {
    session.fail(blamed)
    return
  }
  session.hopBroke(peerId)
  session.lose(
    new MeshError(
      'node_lost',
      `the ${which} stage, at ${peerId}, went away while layers ${formatRange(session.open.range)} were waiting for it`,
      { cause, hint: 'send the request again; it will be routed around the lost node', details: { peerId } }
    )
  )
}
