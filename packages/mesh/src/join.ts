import { setTimeout as delay } from 'node:timers/promises'
import type { PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { type MeshError, withDeadline } from '@resultity/interface'
import type { Libp2p } from 'libp2p'
import { dialError } from './dial-error.ts'
import type { MeshLimits } from './limits.ts'
import type { MeshLogger } from './logger.ts'

/** One attempt at a join address that came to nothing. */
export interface JoinFailure {
  readonly multiaddr: string
  /** Attempts since the address was last connected, this one included. */
  readonly attempt: number
  /** Time until the next attempt. */
  readonly retryMs: number
  /** The address that was dialled, and why it failed. */
  readonly error: MeshError
}

export interface JoinComponents {
  readonly libp2p: Libp2p
  readonly limits: MeshLimits
  readonly logger: MeshLogger
  readonly onFailed: (failure: JoinFailure) => void
  /** Called with the peer that answers at the address, each time it is reached. */
  readonly onJoined: (peerId: PeerId) => void
}

/**
 * Stays connected to `address` until `signal` aborts: dials, waits until the connection is gone, dials again.
 *
 * libp2p's own keep-alive tags are not enough: they stop after some attempts and report it to nobody.
 */
export async function keepJoined(components: JoinComponents, address: string, signal: AbortSignal): Promise<void> {
  const { libp2p, limits, logger, onFailed, onJoined } = components
  let attempt = 0
  while (!signal.aborted) {
    let retryMs = backoffMs(0, limits)
    try {
      const peerId = await dial(components, address, signal)
      attempt = 0
      onJoined(peerId)
      logger.info({ multiaddr: address, peerId: peerId.toString() }, 'joined')
      await disconnected(libp2p, peerId, signal)
      if (!signal.aborted)
        logger.warn({ multiaddr: address, peerId: peerId.toString() }, 'connection lost, joining again')
    } catch (error) {
      if (signal.aborted) return
      attempt++
      retryMs = backoffMs(attempt, limits)
      const failure = { multiaddr: address, attempt, retryMs, error: dialError(address, error) }
      logger.warn({ multiaddr: address, attempt, retryMs, err: failure.error }, failure.error.message)
      onFailed(failure)
    }
    await pause(retryMs, signal)
  }
}

async function dial({ libp2p, limits }: JoinComponents, address: string, signal: AbortSignal): Promise<PeerId> {
  const work = (deadline: AbortSignal) => libp2p.dial(multiaddr(address), { signal: deadline })
  const connection = await withDeadline(`dialling ${address}`, limits.dialTimeoutMs, work, { signal })
  return connection.remotePeer
}

/** Resolves once no connection to the peer is left, or the signal aborts. */
function disconnected(libp2p: Libp2p, peerId: PeerId, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const onDisconnect = (event: CustomEvent<PeerId>): void => {
    if (event.detail.equals(peerId)) resolve()
  }
  const onAbort = (): void => resolve()
  libp2p.addEventListener('peer:disconnect', onDisconnect)
  signal.addEventListener('abort', onAbort, { once: true })
  // it may have gone before we listened
  if (signal.aborted || libp2p.getConnections(peerId).length === 0) resolve()
  return promise.finally(() => {
    libp2p.removeEventListener('peer:disconnect', onDisconnect)
    signal.removeEventListener('abort', onAbort)
  })
}

/** Exponential, capped, with half of it jitter, so that peers that lost the same coordinator do not return as one. */
function backoffMs(attempt: number, { redialMinMs, redialMaxMs }: MeshLimits): number {
  const ceiling = Math.min(redialMaxMs, redialMinMs * 2 ** Math.min(Math.max(attempt - 1, 0), 20))
  return Math.round(ceiling * (0.5 + Math.random() / 2))
}

/** Resolves after `ms`, or as soon as the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
