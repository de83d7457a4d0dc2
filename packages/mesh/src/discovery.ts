import type { IdentifyResult, PeerId, PeerInfo } from '@libp2p/interface'
import { type Scheduler, type Timer, withDeadline } from '@resultity/interface'
import type { Libp2p } from 'libp2p'
import { believableAddresses, peerScopeOf } from './address-scope.ts'
import { dialError } from './dial-error.ts'
import { COORDINATOR_AGENT } from './discovery-names.ts'
import type { MeshLimits } from './limits.ts'
import type { MeshLogger } from './logger.ts'

export interface DiscoveredPeer {
  readonly peerId: string
  /** Where it was reached, and where it says that it listens. */
  readonly multiaddrs: readonly string[]
}

export interface DiscoverOptions {
  /** Multiaddrs to join, in addition to those of the host. */
  readonly join?: readonly string[]
  /** Ends the search, and the connections' upkeep. */
  readonly signal: AbortSignal
}

const MULTIADDRS_MAX = 16
/** Peers found on the local network that are being dialled at the same time. */
const DIALS_MAX = 16
/** How often a search without a result is mentioned. */
const REMINDER_MS = 15_000

/** Peers found on the local network that are remembered; more are not. */
const KNOWN_MAX = 256

/**
 * The coordinators that this host may follow: those at the addresses it was told to join and, where it was told to
 * look, those on the local network. Any other peer that connects and calls itself a coordinator is not one.
 */
export class KnownCoordinators {
  readonly #peerIds = new Set<string>()
  readonly #listeners = new Set<(peerId: string) => void>()

  has(peerId: string): boolean {
    return this.#peerIds.has(peerId)
  }

  add(peerId: string): void {
    if (this.#peerIds.has(peerId) || this.#peerIds.size >= KNOWN_MAX) return
    this.#peerIds.add(peerId)
    for (const listener of this.#listeners) listener(peerId)
  }

  /** @returns stops listening */
  onAdded(listener: (peerId: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** Yields every known peer that identifies itself as a coordinator. Ends when the signal aborts. */
export async function* discoverCoordinators(
  libp2p: Libp2p,
  known: KnownCoordinators,
  limits: MeshLimits,
  logger: MeshLogger,
  scheduler: Scheduler,
  signal: AbortSignal
): AsyncGenerator<DiscoveredPeer, void, undefined> {
  const search = new Search(libp2p, known, limits, logger, scheduler, signal)
  try {
    for (;;) {
      const found = await search.next()
      if (found === undefined) return
      yield found
    }
  } finally {
    search.stop()
  }
}

/** Bounded by the host's connections: a coordinator is known here only while it is connected. */
class Search {
  readonly #libp2p: Libp2p
  readonly #known: KnownCoordinators
  readonly #limits: MeshLimits
  readonly #logger: MeshLogger
  readonly #scheduler: Scheduler
  readonly #signal: AbortSignal
  /** Found and not yet yielded. */
  readonly #found = new Map<string, DiscoveredPeer>()
  readonly #yielded = new Set<string>()
  readonly #dialling = new Set<string>()
  readonly #reminder: Timer
  readonly #stopListening: () => void
  #wake: () => void = () => {}

  constructor(
    libp2p: Libp2p,
    known: KnownCoordinators,
    limits: MeshLimits,
    logger: MeshLogger,
    scheduler: Scheduler,
    signal: AbortSignal
  ) {
    this.#libp2p = libp2p
    this.#known = known
    this.#limits = limits
    this.#logger = logger
    this.#scheduler = scheduler
    this.#signal = signal
    libp2p.addEventListener('peer:identify', this.#onIdentify)
    libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    libp2p.addEventListener('peer:discovery', this.#onDiscovery)
    signal.addEventListener('abort', this.#onAbort)
    this.#reminder = scheduler.setInterval(this.#onReminder, REMINDER_MS)
    this.#reminder.unref()
    // it may have been identified before it was known
    this.#stopListening = known.onAdded(added => {
      for (const peerId of libp2p.getPeers()) if (peerId.toString() === added) void this.#recall(peerId)
    })
    for (const peerId of libp2p.getPeers()) void this.#recall(peerId)
  }

  /** Undefined once the signal has aborted. */
  async next(): Promise<DiscoveredPeer | undefined> {
    for (;;) {
      if (this.#signal.aborted) return undefined
      const [found] = this.#found.values()
      if (found !== undefined) {
        this.#found.delete(found.peerId)
        this.#yielded.add(found.peerId)
        return found
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
  }

  stop(): void {
    this.#libp2p.removeEventListener('peer:identify', this.#onIdentify)
    this.#libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    this.#libp2p.removeEventListener('peer:discovery', this.#onDiscovery)
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#stopListening()
    this.#scheduler.clear(this.#reminder)
  }

  readonly #onIdentify = (event: CustomEvent<IdentifyResult>): void => {
    const { peerId, agentVersion, listenAddrs, connection } = event.detail
    const reached = connection.direction === 'outbound' ? [connection.remoteAddr.toString()] : []
    const said = believableAddresses(listenAddrs.map(String), peerScopeOf(connection.remoteAddr))
    this.#consider(peerId, agentVersion ?? '', [...reached, ...said])
  }

  readonly #onDisconnect = (event: CustomEvent<PeerId>): void => {
    this.#found.delete(event.detail.toString())
    this.#yielded.delete(event.detail.toString())
  }

  /** mDNS says it again and again, so a failed dial is tried again with the next answer. */
  readonly #onDiscovery = (event: CustomEvent<PeerInfo>): void => {
    const { id, multiaddrs } = event.detail
    // libp2p calls any peer discovered that it learns of, one that dialled this host too
    if (!this.#known.has(id.toString())) return
    if (this.#dialling.size >= DIALS_MAX || this.#dialling.has(id.toString())) return
    if (this.#libp2p.getConnections(id).length > 0) return
    void this.#dial(id, multiaddrs.map(String))
  }

  readonly #onAbort = (): void => this.#wake()

  readonly #onReminder = (): void => {
    if (this.#yielded.size > 0) return
    this.#logger.warn({}, 'no coordinator found yet; check that one runs, or give its address to join')
  }

  #consider(peerId: PeerId, agent: string, multiaddrs: readonly string[]): void {
    const key = peerId.toString()
    if (!agent.startsWith(COORDINATOR_AGENT) || !this.#known.has(key) || this.#yielded.has(key)) return
    this.#found.set(key, { peerId: key, multiaddrs: [...new Set(multiaddrs)].slice(0, MULTIADDRS_MAX) })
    this.#wake()
  }

  /** A peer that was identified before the search began. */
  async #recall(peerId: PeerId): Promise<void> {
    if (!this.#known.has(peerId.toString())) return
    try {
      const { metadata, addresses } = await this.#libp2p.peerStore.get(peerId)
      const agent = Buffer.from(metadata.get('AgentVersion') ?? []).toString()
      this.#consider(
        peerId,
        agent,
        addresses.map(address => address.multiaddr.toString())
      )
    } catch (error) {
      this.#logger.warn({ err: error, peerId: peerId.toString() }, 'a connected peer is not in the peer store')
    }
  }

  async #dial(peerId: PeerId, multiaddrs: readonly string[]): Promise<void> {
    const key = peerId.toString()
    this.#dialling.add(key)
    const work = (signal: AbortSignal) => this.#libp2p.dial(peerId, { signal })
    try {
      await withDeadline(`dialling ${key}`, this.#limits.dialTimeoutMs, work, {
        signal: this.#signal,
        scheduler: this.#scheduler
      })
    } catch (error) {
      if (this.#signal.aborted) return
      const failure = dialError(`${key} at ${multiaddrs.join(', ')}`, error)
      this.#logger.warn({ err: failure, peerId: key, multiaddrs }, failure.message)
    } finally {
      this.#dialling.delete(key)
    }
  }
}
