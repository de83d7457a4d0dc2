import { type AbortOptions, MeshError, type Scheduler, systemScheduler, withDeadline } from '@resultity/interface'
import {
  COORDINATOR_AGENT,
  DEFAULT_MESH_LIMITS,
  type DiscoveredPeer,
  type DiscoverOptions,
  type HandleOptions,
  type InboundHandler,
  KnownCoordinators,
  keepJoined,
  type MeshHost,
  type MeshHostInit,
  type MeshLimits,
  type PeerAddress,
  peerIdOf,
  silentLogger
} from '@resultity/mesh'
import type { ByteStream } from '@resultity/wire'
import { listenOn, requireMultiaddr, requirePeerId } from './memory-addresses.ts'
import { dialIn } from './memory-dial.ts'
import { type ConnectionEnd, type NetworkHost, NoSuchProtocol } from './network-host.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

interface Protocol extends HandleOptions {
  readonly handler: InboundHandler
}

/**
 * Starts a host on a network in memory. It promises what a libp2p host promises, but for mDNS and the bounds on
 * connections; those are libp2p's, and so is encryption.
 *
 * @throws MeshError as `createMeshHost` does
 */
export async function createMemoryHost(network: SimulatedNetwork, init: MeshHostInit): Promise<MemoryHost> {
  for (const address of [...init.listen, ...(init.announce ?? []), ...(init.join ?? [])]) requireMultiaddr(address)
  const host = new MemoryHost(network, init)
  try {
    host.start()
  } catch (error) {
    await host.close()
    throw error
  }
  return host
}

/** A mesh host whose network is a {@link SimulatedNetwork}. */
export class MemoryHost implements MeshHost, NetworkHost {
  readonly peerId: string
  readonly agent: string
  readonly scheduler: Scheduler
  readonly #network: SimulatedNetwork
  readonly #init: MeshHostInit
  readonly #limits: MeshLimits
  readonly #protocols = new Map<string, Protocol>()
  readonly #connections = new Set<ConnectionEnd>()
  readonly #known = new KnownCoordinators()
  /** Addresses that peers have said they listen on. */
  readonly #learnt = new Map<string, readonly string[]>()
  readonly #onConnected = new Set<(end: ConnectionEnd) => void>()
  readonly #onDisconnected = new Set<(peerId: string) => void>()
  readonly #closing = new AbortController()
  #listening: readonly string[] = []

  constructor(network: SimulatedNetwork, init: MeshHostInit) {
    this.#network = network
    this.#init = init
    this.#limits = { ...DEFAULT_MESH_LIMITS, ...init.limits }
    this.peerId = peerIdOf(init.privateKey)
    this.agent = init.agent
    this.scheduler = init.scheduler ?? systemScheduler
  }

  /** @throws MeshError `address_in_use`, `settings_invalid` */
  start(): void {
    this.#listening = this.#init.listen.map(address => listenOn(this.#network, address, this))
    for (const address of this.#init.join ?? []) this.#join(address, this.#closing.signal)
  }

  multiaddrs(): string[] {
    return [...(this.#init.announce ?? this.#listening)].map(address => `${address}/p2p/${this.peerId}`)
  }

  async handle(protocol: string, handler: InboundHandler, options: HandleOptions): Promise<void> {
    this.#protocols.set(protocol, { handler, ...options })
  }

  async unhandle(protocol: string): Promise<void> {
    this.#protocols.delete(protocol)
  }

  async open(peer: PeerAddress, protocol: string, options: AbortOptions = {}): Promise<ByteStream> {
    const { peerId, multiaddrs } = peer
    requirePeerId(peerId)
    options.signal?.throwIfAborted()
    const warm = this.#connectionTo(peerId)
    if (warm !== undefined) {
      try {
        return await this.#newStream(warm, protocol, options)
      } catch (error) {
        // the connection was ending; any other failure would repeat itself on a new one
        if (warm.open || options.signal?.aborted === true) throw error
      }
    }
    const connection = await this.#dialPeer(peerId, multiaddrs, options)
    return await this.#newStream(connection, protocol, options)
  }

  /** Has no bound on connections, so no room to keep. */
  setMembers(): void {}

  remoteAddrOf(peerId: string): string | undefined {
    requirePeerId(peerId)
    return this.#connectionTo(peerId)?.remoteAddr
  }

  onPeerDisconnected(listener: (peerId: string) => void): () => void {
    this.#onDisconnected.add(listener)
    return () => this.#onDisconnected.delete(listener)
  }

  discoverCoordinator({ join = [], signal: ending }: DiscoverOptions): AsyncIterable<DiscoveredPeer> {
    const signal = AbortSignal.any([ending, this.#closing.signal])
    for (const address of join) requireMultiaddr(address)
    if (join.length === 0 && (this.#init.join ?? []).length === 0) {
      throw new MeshError('settings_invalid', 'there is no way to find a coordinator')
    }
    for (const address of join) this.#join(address, signal)
    return this.#coordinators(signal)
  }

  async close(): Promise<void> {
    this.#closing.abort(new MeshError('unavailable', 'the host is closing'))
    this.#network.forget(this)
    for (const end of [...this.#connections]) end.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  allows(peerId: string): boolean {
    return this.#init.allowPeer?.(peerId) ?? true
  }

  connected(end: ConnectionEnd): void {
    this.#connections.add(end)
    this.#learnt.set(end.remote.peerId, end.remote.multiaddrs())
    for (const listener of [...this.#onConnected]) listener(end)
  }

  disconnected(end: ConnectionEnd): void {
    this.#connections.delete(end)
    const { peerId } = end.remote
    if (this.#connectionTo(peerId) !== undefined) return
    for (const listener of [...this.#onDisconnected]) listener(peerId)
  }

  inboundStreamsMax(protocol: string): number | undefined {
    return this.#protocols.get(protocol)?.inboundStreamsMax
  }

  accept(protocol: string, stream: ByteStream, end: ConnectionEnd): void {
    try {
      this.#protocols.get(protocol)?.handler(stream, end.remote.peerId, end.remoteAddr)
    } catch (error) {
      ;(this.#init.logger ?? silentLogger).error({ err: error, protocol }, 'a stream handler threw')
      stream.abort(MeshError.from(error))
    }
  }

  #connectionTo(peerId: string): ConnectionEnd | undefined {
    return [...this.#connections].find(end => end.open && end.remote.peerId === peerId)
  }

  async #newStream(end: ConnectionEnd, protocol: string, { signal }: AbortOptions): Promise<ByteStream> {
    const { peerId } = end.remote
    const open = (): Promise<ByteStream> =>
      end.openStream(protocol).catch((cause: unknown) => {
        if (cause instanceof NoSuchProtocol) {
          throw new MeshError('protocol_version', `${peerId} does not speak ${protocol}`, { cause })
        }
        const why = cause instanceof Error ? cause.message : String(cause)
        if (end.open) throw new MeshError('peer_unreachable', `${peerId} gave no ${protocol} stream: ${why}`, { cause })
        throw new MeshError('peer_unreachable', `the connection to ${peerId} ended: ${why}`, { cause })
      })
    const options = { scheduler: this.scheduler, ...(signal === undefined ? {} : { signal }) }
    return await withDeadline(`opening a ${protocol} stream`, this.#limits.streamOpenTimeoutMs, open, options)
  }

  async #dialPeer(
    peerId: string,
    given: readonly string[] | undefined,
    { signal }: AbortOptions
  ): Promise<ConnectionEnd> {
    if (this.#init.dials === false || given?.length === 0) {
      throw new MeshError('peer_unreachable', `${peerId} is not connected, and no address is known to dial it at`)
    }
    if (!this.allows(peerId)) throw refused(peerId)
    const addresses = (given ?? []).length > 0 ? given : this.#learnt.get(peerId)
    for (const address of addresses ?? []) requireMultiaddr(address)
    if (addresses === undefined || addresses.length === 0) {
      throw new MeshError('peer_unreachable', `no address is known by which ${peerId} can be dialled`)
    }
    const options = { scheduler: this.scheduler, ...(signal === undefined ? {} : { signal }) }
    const dial = async (): Promise<ConnectionEnd> => {
      const reasons: string[] = []
      for (const address of addresses) {
        try {
          return await dialIn(this.#network, this, address, peerId)
        } catch (error) {
          if (error instanceof MeshError) throw error
          reasons.push(error instanceof Error ? error.message : String(error))
        }
      }
      const target = `${peerId} at ${addresses.join(', ')}`
      throw new MeshError('peer_unreachable', `${target} cannot be dialled: ${reasons.join('; ')}`)
    }
    return await withDeadline(`dialling ${peerId}`, this.#limits.dialTimeoutMs, dial, options)
  }

  #join(address: string, signal: AbortSignal): void {
    const host = {
      dial: async (to: string) => {
        try {
          return (await dialIn(this.#network, this, to, undefined)).remote.peerId
        } catch (error) {
          if (error instanceof MeshError) throw error
          const why = error instanceof Error ? error.message : String(error)
          throw new MeshError('peer_unreachable', `${to} cannot be dialled: ${why}`)
        }
      },
      remoteAddrOf: (peerId: string) => this.remoteAddrOf(peerId),
      onPeerDisconnected: (listener: (peerId: string) => void) => this.onPeerDisconnected(listener)
    }
    const { logger = silentLogger, onJoinFailed: onFailed = () => {} } = this.#init
    const onJoined = (peerId: string): void => this.#known.add(peerId)
    void keepJoined(
      { host, limits: this.#limits, logger, scheduler: this.scheduler, onFailed, onJoined },
      address,
      signal
    )
  }

  async *#coordinators(signal: AbortSignal): AsyncGenerator<DiscoveredPeer, void, undefined> {
    const found = new Map<string, DiscoveredPeer>()
    const yielded = new Set<string>()
    let wake = (): void => {}
    const consider = ({ remote, remoteAddr, outbound }: ConnectionEnd): void => {
      const { peerId, agent } = remote
      if (!agent.startsWith(COORDINATOR_AGENT) || !this.#known.has(peerId) || yielded.has(peerId)) return
      const multiaddrs = [...new Set([...(outbound ? [`${remoteAddr}/p2p/${peerId}`] : []), ...remote.multiaddrs()])]
      found.set(peerId, { peerId, multiaddrs })
      wake()
    }
    const look = (): void => {
      for (const end of this.#connections) consider(end)
    }
    const forget = (peerId: string): void => {
      found.delete(peerId)
      yielded.delete(peerId)
    }
    this.#onConnected.add(consider)
    const stops = [this.#known.onAdded(look), this.onPeerDisconnected(forget)]
    const onAbort = (): void => wake()
    signal.addEventListener('abort', onAbort)
    look()
    try {
      while (!signal.aborted) {
        const [next] = found.values()
        if (next !== undefined) {
          found.delete(next.peerId)
          yielded.add(next.peerId)
          yield next
          continue
        }
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        await promise
      }
    } finally {
      this.#onConnected.delete(consider)
      for (const stop of stops) stop()
      signal.removeEventListener('abort', onAbort)
    }
  }
}

function refused(peerId: string): MeshError {
  return new MeshError('peer_refused', `this peer does not allow ${peerId}`, {
    hint: 'Add the peer to the allow list to connect to it.'
  })
}
