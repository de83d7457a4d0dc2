import { MeshError } from '@resultity/interface'

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
