import { MeshError } from '@resultity/interface'

const REASON_CHARACTERS_MAX = 200
const REASONS_MAX = 8

/** Names of libp2p errors that mean: one of the two sides does not want the other. */
const refusals: ReadonlySet<string> = new Set([
  'DialDeniedError',
  'ConnectionDeniedError',
  'ConnectionInterceptedError'
])

/** Names that mean: the connection went away while a stream was being opened on it. */
const closures: ReadonlySet<string> = new Set([
  'ConnectionClosedError',
  'MuxerClosedError',
  'StreamClosedError',
  'StreamResetError',
  'StreamStateError',
  'UnexpectedEOFError'
])

/** libp2p rejects with the event itself where it waited for another one of a stream that ended. */
export function isClosure(error: unknown): boolean {
  return error instanceof Event || closures.has(errorName(error))
}

/**
 * The error when `target` (a peer, or an address) cannot be dialled. It contains the reason for each address that was
 * tried.
 */
export function dialError(target: string, error: unknown, signal?: AbortSignal): MeshError {
  if (signal?.aborted === true) return MeshError.from(signal.reason, 'canceled')
  if (error instanceof MeshError) return error
  if (refusals.has(errorName(error))) {
    return new MeshError('peer_refused', `this peer does not allow ${target}`, {
      hint: 'Add the peer to the allow list to connect to it.',
      cause: error
    })
  }
  if (errorName(error) === 'NoValidAddressesError') {
    return new MeshError('peer_unreachable', `no address is known by which ${target} can be dialled`, {
      hint: 'Give an address such as /ip4/192.0.2.1/tcp/4701/p2p/PEER; only TCP addresses can be dialled.',
      cause: error
    })
  }
  return new MeshError('peer_unreachable', `${target} cannot be dialled: ${reasons(error)}`, {
    hint: 'Check that it runs, that the address is right, and that no firewall or NAT is in between.',
    cause: error
  })
}

/** The error when a connection exists but a stream of `protocol` cannot be opened. */
export function streamError(peerId: string, protocol: string, error: unknown, signal?: AbortSignal): MeshError {
  if (signal?.aborted === true) return MeshError.from(signal.reason, 'canceled')
  if (error instanceof MeshError) return error
  const name = errorName(error)
  if (name === 'UnsupportedProtocolError') {
    return new MeshError('protocol_version', `${peerId} does not speak ${protocol}`, {
      hint: 'It is another kind of peer, or runs another release of resultity.',
      cause: error
    })
  }
  if (name === 'TooManyOutboundProtocolStreamsError') {
    return new MeshError('resource_exhausted', `too many ${protocol} streams are open to ${peerId}`, {
      hint: 'Wait for some to end, or raise streamsPerConnectionMax.',
      cause: error
    })
  }
  return new MeshError('peer_unreachable', `${peerId} gave no ${protocol} stream: ${reasons(error)}`, {
    hint: 'It may be stopping, be out of streams, or not allow this peer.',
    cause: error
  })
}

/** A connection that the peer closed at once: how it looks when its gater says no. */
export function closedAtOnce(peerId: string, cause: unknown): MeshError {
  return new MeshError('peer_refused', `${peerId} closed the connection as soon as it was made`, {
    hint: 'Ask its operator to allow this peer; it may also have been stopping.',
    cause
  })
}

/** The messages of all errors inside, shortest form: "connect ECONNREFUSED 127.0.0.1:1; ...". */
export function reasons(error: unknown): string {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error]
  const texts = errors.slice(0, REASONS_MAX).map(reason)
  if (errors.length > REASONS_MAX) texts.push(`and ${errors.length - REASONS_MAX} more`)
  return texts.join('; ')
}

function reason(error: unknown): string {
  if (error instanceof Event) return 'the connection ended'
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.slice(0, REASON_CHARACTERS_MAX)
}

function errorName(error: unknown): string {
  return error instanceof Error ? error.name : ''
}
