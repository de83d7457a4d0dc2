import { type MeshError, type Scheduler, withDeadline } from '@resultity/interface'
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

/** What joining asks of a host. */
export interface JoiningHost {
  /** Connects to the peer at `address`. @returns its peer id */
  dial(address: string, signal: AbortSignal): Promise<string>
  /** The multiaddr of a peer that is connected. */
  remoteAddrOf(peerId: string): string | undefined
  /** @returns stops listening */
  onPeerDisconnected(listener: (peerId: string) => void): () => void
}

export interface JoinComponents {
  readonly host: JoiningHost
  readonly limits: MeshLimits
  readonly logger: MeshLogger
  readonly scheduler: Scheduler
  readonly onFailed: (failure: JoinFailure) => void
  /** Called with the peer that answers at the address, each time it is reached. */
  readonly onJoined: (peerId: string) => void
}

/**
 * Stays connected to `address` until `signal` aborts: dials, waits until the connection is gone, dials again.
 *
 * libp2p's own keep-alive tags are not enough: they stop after some attempts and report it to nobody.
 */
export async function keepJoined(components: JoinComponents, address: string, signal: AbortSignal): Promise<void> {
  const { host, limits, logger, scheduler, onFailed, onJoined } = components
  let attempt = 0
  while (!signal.aborted) {
    let retryMs = backoffMs(0, limits, scheduler)
    try {
      const peerId = await dial(components, address, signal)
      attempt = 0
      onJoined(peerId)
      logger.info({ multiaddr: address, peerId }, 'joined')
      await disconnected(host, peerId, signal)
      if (!signal.aborted) logger.warn({ multiaddr: address, peerId }, 'connection lost, joining again')
    } catch (error) {
      if (signal.aborted) return
      attempt++
      retryMs = backoffMs(attempt, limits, scheduler)
      const failure = { multiaddr: address, attempt, retryMs, error: dialError(address, error) }
      logger.warn({ multiaddr: address, attempt, retryMs, err: failure.error }, failure.error.message)
      onFailed(failure)
    }
    await pause(scheduler, retryMs, signal)
  }
}

function dial({ host, limits, scheduler }: JoinComponents, address: string, signal: AbortSignal): Promise<string> {
  const work = (deadline: AbortSignal): Promise<string> => host.dial(address, deadline)
  return withDeadline(`dialling ${address}`, limits.dialTimeoutMs, work, { signal, scheduler })
}

/** Resolves once no connection to the peer is left, or the signal aborts. */
function disconnected(host: JoiningHost, peerId: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const onAbort = (): void => resolve()
  const stopListening = host.onPeerDisconnected(gone => {
    if (gone === peerId) resolve()
  })
  signal.addEventListener('abort', onAbort, { once: true })
  // it may have gone before we listened
  if (signal.aborted || host.remoteAddrOf(peerId) === undefined) resolve()
  return promise.finally(() => {
    stopListening()
    signal.removeEventListener('abort', onAbort)
  })
}

/** Exponential, capped, with half of it jitter, so that peers that lost the same coordinator do not return as one. */
function backoffMs(attempt: number, { redialMinMs, redialMaxMs }: MeshLimits, scheduler: Scheduler): number {
  const ceiling = Math.min(redialMaxMs, redialMinMs * 2 ** Math.min(Math.max(attempt - 1, 0), 20))
  return Math.round(ceiling * (0.5 + scheduler.random() / 2))
}

/** Resolves after `ms`, or as soon as the signal aborts. */
async function pause(scheduler: Scheduler, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await scheduler.sleep(ms, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
