import type { Connection, PeerId, PrivateKey, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import {
  type AbortOptions,
  MeshError,
  type Scheduler,
  systemScheduler,
  type Tuning,
  tunes,
  withDeadline
} from '@resultity/interface'
import type { ByteStream } from '@resultity/wire'
import { createLibp2p, type Libp2p } from 'libp2p'
import { ConnectionLimits } from './connection-limits.ts'
import { closedAtOnce, dialError, isClosure, reasons, streamError } from './dial-error.ts'
import { type DiscoveredPeer, type DiscoverOptions, discoverCoordinators, KnownCoordinators } from './discovery.ts'
import type { MdnsInit } from './discovery-names.ts'
import { type JoinFailure, keepJoined } from './join.ts'
import { libp2pOptions, type MeshServices } from './libp2p-options.ts'
import { DEFAULT_MESH_LIMITS, type MeshLimits } from './limits.ts'
import { type MeshLogger, silentLogger } from './logger.ts'
import { grantRarely } from './tuning/rare-grants.ts'

/** A peer to open a stream to, and addresses where it may be. */
export interface PeerAddress {
  readonly peerId: string
  /** Dialled where no connection is there. Absent: those that the host has learnt. Empty: none. */
  readonly multiaddrs?: readonly string[]
}

/**
 * Takes over an inbound stream, and ends it. An error resets the stream. `remoteAddr` is the multiaddr that the
 * stream's connection came from.
 */
export type InboundHandler = (stream: ByteStream, remotePeer: string, remoteAddr: string) => void

export interface HandleOptions {
  /** Streams of this protocol that one connection may have open; the next ones are reset without a word. */
  readonly inboundStreamsMax: number
}

export interface MeshHostInit {
  readonly privateKey: PrivateKey
  /** Multiaddrs to listen on, such as /ip4/0.0.0.0/tcp/4701; port 0 takes a free one. Empty: dial only. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell others instead of those listened on: behind NAT, in a container. */
  readonly announce?: readonly string[]
  /** Multiaddrs to stay connected to, for as long as the host runs. */
  readonly join?: readonly string[]
  /** Find (as a coordinator: be found) on the local network. Default false. */
  readonly mdns?: boolean | MdnsInit
  /** Connection gater: peers it says no to are refused, both ways. Default: everybody is allowed. */
  readonly allowPeer?: (peerId: string) => boolean
  /** Whether it dials to open a stream. False: only over connections that are there. Default true. */
  readonly dials?: boolean
  readonly limits?: Partial<MeshLimits>
  /** What this peer calls itself, such as 'resultity-coordinator/0.1.0'. */
  readonly agent: string
  readonly logger?: MeshLogger
  /** Writes and reads frames in ways that were measured to be faster here; see `tuning/`. Default false. */
  readonly tuning?: Tuning
  /** Told of every failed attempt at a join address, which the logger is told too. */
  readonly onJoinFailed?: (failure: JoinFailure) => void
  /** Of its own waits; what libp2p waits for is real. Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/** This process on the mesh: dials, is dialled, and finds others. */
export interface MeshHost extends AsyncDisposable {
  readonly peerId: string
  /** Where others reach this host, each with its peer id. */
  multiaddrs(): string[]
  handle(protocol: string, handler: InboundHandler, options: HandleOptions): Promise<void>
  unhandle(protocol: string): Promise<void>
  /**
   * A new stream, over the connection that is there, or a new one. Costs a round trip on a warm connection: keep
   * streams, do not open one per message. A peer that is out of streams for this protocol resets it after the fact.
   *
   * @throws MeshError `peer_unreachable`, `peer_refused`, `protocol_version` (the peer does not speak the protocol),
   * `resource_exhausted`, `deadline_exceeded`, or the caller's abort reason
   */
  open(peer: PeerAddress, protocol: string, options?: AbortOptions): Promise<ByteStream>
  /** Keeps room among the connections for peers that `isMember` says yes to; it is asked again and again. */
  setMembers(isMember: (peerId: string) => boolean): void
  /** The multiaddr from which, or to which, a peer is connected; undefined when it is not. */
  remoteAddrOf(peerId: string): string | undefined
  /** Calls `listener` when the last connection to a peer is gone. @returns a function that stops that */
  onPeerDisconnected(listener: (peerId: string) => void): () => void
  /**
   * Coordinators, as they are found: by join addresses, to which the host stays connected until the signal aborts,
   * and by mDNS where the host has it. A coordinator comes again after its connection was lost and is back. Ends
   * when the signal aborts.
   *
   * @throws MeshError `settings_invalid` when there is neither a join address nor mDNS
   */
  discoverCoordinator(options: DiscoverOptions): AsyncIterable<DiscoveredPeer>
  /** Stops everything; does nothing when called again. */
  close(): Promise<void>
}

/**
 * Starts a host.
 * @throws MeshError `address_in_use`, `settings_invalid` for an address that is invalid or cannot be listened on
 */
export async function createMeshHost(init: MeshHostInit): Promise<MeshHost> {
  const limits = { ...DEFAULT_MESH_LIMITS, ...init.limits }
  const { privateKey, agent, listen, announce = [], join = [], mdns = false, allowPeer, tuning = false } = init
  for (const address of [...listen, ...announce, ...join]) parseMultiaddr(address)
  const { strangersFraction } = limits
  const named = new Set<string>()
  const known = new KnownCoordinators()
  const strangersMax = Math.max(1, Math.floor(limits.connectionsMax * strangersFraction))
  const pendingMax = limits.pendingInboundMax
  const connections = new ConnectionLimits({ ...limits, strangersMax, pendingMax })
  const onFoundLocally = (id: string): void => known.add(id)
  const settings = { privateKey, agent, listen, announce, named, mdns, allowPeer, connections, onFoundLocally, tuning }
  const libp2p = await createLibp2p<MeshServices>(libp2pOptions(settings, limits))
  try {
    await libp2p.start()
  } catch (error) {
    await libp2p.stop()
    throw listenError(listen, error)
  }
  return new Libp2pHost({ libp2p, connections, known, named }, limits, init)
}

interface HostComponents {
  readonly libp2p: Libp2p<MeshServices>
  readonly connections: ConnectionLimits
  readonly known: KnownCoordinators
  /** IP addresses and names that the operator gave: dialled whatever they are. */
  readonly named: Set<string>
}

class Libp2pHost implements MeshHost {
  readonly peerId: string
  readonly #libp2p: Libp2p<MeshServices>
  readonly #connections: ConnectionLimits
  readonly #limits: MeshLimits
  readonly #init: MeshHostInit
  /** The coordinators that this host may follow. */
  readonly #known: KnownCoordinators
  readonly #named: Set<string>
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  constructor({ libp2p, connections, known, named }: HostComponents, limits: MeshLimits, init: MeshHostInit) {
    this.#libp2p = libp2p
    this.#connections = connections
    this.#known = known
    this.#named = named
    this.#limits = limits
    this.#init = init
    this.peerId = libp2p.peerId.toString()
    for (const address of init.join ?? []) this.#join(address, this.#closing.signal)
  }

  multiaddrs(): string[] {
    return this.#libp2p.getMultiaddrs().map(String)
  }

  async handle(protocol: string, handler: InboundHandler, options: HandleOptions): Promise<void> {
    await this.#libp2p.handle(
      protocol,
      (stream, connection) => {
        if (tunes(this.#init.tuning, 'rare-grants')) grantRarely(stream)
        try {
          handler(stream, connection.remotePeer.toString(), connection.remoteAddr.toString())
        } catch (error) {
          this.#logger.error({ err: error, protocol }, 'a stream handler threw')
          stream.abort(MeshError.from(error))
        }
      },
      { maxInboundStreams: options.inboundStreamsMax, maxOutboundStreams: this.#limits.streamsPerConnectionMax }
    )
  }

  async unhandle(protocol: string): Promise<void> {
    await this.#libp2p.unhandle(protocol)
  }

  async open(peer: PeerAddress, protocol: string, options: AbortOptions = {}): Promise<ByteStream> {
    const peerId = parsePeerId(peer.peerId)
    const known = this.#libp2p.getConnections(peerId)
    const warm = known.find(connection => connection.status === 'open')
    try {
      if (warm !== undefined) return await this.#newStream(warm, protocol, options)
    } catch (error) {
      // the connection was ending without our knowing; any other failure would repeat itself on a new one
      if (!isClosure(error)) throw streamError(peer.peerId, protocol, error, options.signal)
    }
    const connection = await this.#dial(peerId, peer.multiaddrs, options)
    try {
      return await this.#newStream(connection, protocol, options)
    } catch (error) {
      // a dial may return an existing connection that is ending: that peer is gone, and its refusal does not count
      const fresh = !known.includes(connection)
      if (fresh && options.signal?.aborted !== true && isClosure(error)) throw closedAtOnce(peer.peerId, error)
      throw streamError(peer.peerId, protocol, error, options.signal)
    }
  }

  setMembers(isMember: (peerId: string) => boolean): void {
    this.#connections.setMembers(isMember)
  }

  remoteAddrOf(peerId: string): string | undefined {
    const open = this.#libp2p.getConnections(parsePeerId(peerId)).find(({ status }) => status === 'open')
    return open?.remoteAddr.toString()
  }

  onPeerDisconnected(listener: (peerId: string) => void): () => void {
    const onDisconnect = (event: CustomEvent<PeerId>): void => listener(event.detail.toString())
    this.#libp2p.addEventListener('peer:disconnect', onDisconnect)
    return () => this.#libp2p.removeEventListener('peer:disconnect', onDisconnect)
  }

  discoverCoordinator(options: DiscoverOptions): AsyncIterable<DiscoveredPeer> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal])
    const { join = [] } = options
    for (const address of join) parseMultiaddr(address)
    if (join.length === 0 && (this.#init.join ?? []).length === 0 && (this.#init.mdns ?? false) === false) {
      throw new MeshError('settings_invalid', 'there is no way to find a coordinator', {
        hint: 'Give the address of one to join, or allow discovery on the local network.'
      })
    }
    for (const address of join) this.#join(address, signal)
    return discoverCoordinators(this.#libp2p, this.#known, this.#limits, this.#logger, this.#scheduler, signal)
  }

  close(): Promise<void> {
    this.#closed ??= this.#stop()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #logger(): MeshLogger {
    return this.#init.logger ?? silentLogger
  }

  get #scheduler(): Scheduler {
    return this.#init.scheduler ?? systemScheduler
  }

  async #stop(): Promise<void> {
    this.#closing.abort(new MeshError('unavailable', 'the host is closing'))
    await this.#libp2p.stop()
  }

  #join(address: string, signal: AbortSignal): void {
    const [host] = multiaddr(address).getComponents()
    if (host?.value !== undefined) this.#named.add(host.value)
    const onFailed = this.#init.onJoinFailed ?? (() => {})
    const joining = {
      dial: async (to: string, deadline: AbortSignal) =>
        (await this.#libp2p.dial(multiaddr(to), { signal: deadline })).remotePeer.toString(),
      remoteAddrOf: (peerId: string) => this.remoteAddrOf(peerId),
      onPeerDisconnected: (listener: (peerId: string) => void) => this.onPeerDisconnected(listener)
    }
    const onJoined = (peerId: string): void => this.#known.add(peerId)
    const own = { host: joining, limits: this.#limits, logger: this.#logger, scheduler: this.#scheduler }
    void keepJoined({ ...own, onFailed, onJoined }, address, signal)
  }

  async #newStream(connection: Connection, protocol: string, options: AbortOptions): Promise<Stream> {
    const { streamOpenTimeoutMs, streamsPerConnectionMax } = this.#limits
    const stream = await withDeadline(
      `opening a ${protocol} stream`,
      streamOpenTimeoutMs,
      signal => connection.newStream(protocol, { signal, maxOutboundStreams: streamsPerConnectionMax }),
      { ...options, scheduler: this.#scheduler }
    )
    if (tunes(this.#init.tuning, 'rare-grants')) grantRarely(stream)
    return stream
  }

  async #dial(peerId: PeerId, given: readonly string[] | undefined, options: AbortOptions) {
    const addresses = given ?? []
    if (this.#init.dials === false || given?.length === 0) throw notConnected(peerId)
    const targets = addresses.map(address => withPeer(parseMultiaddr(address), peerId))
    const dial = (signal: AbortSignal) => this.#libp2p.dial(targets.length > 0 ? targets : peerId, { signal })
    try {
      return await withDeadline(`dialling ${peerId}`, this.#limits.dialTimeoutMs, dial, {
        ...options,
        scheduler: this.#scheduler
      })
    } catch (error) {
      throw dialError(describe(peerId, addresses), error, options.signal)
    }
  }
}

function notConnected(peerId: PeerId): MeshError {
  return new MeshError('peer_unreachable', `${peerId} is not connected, and no address is known to dial it at`, {
    hint: 'Check that it runs, and what it announces: see --listen and --announce.'
  })
}

function describe(peerId: PeerId, addresses: readonly string[]): string {
  return addresses.length === 0 ? peerId.toString() : `${peerId} at ${addresses.join(', ')}`
}

function parsePeerId(text: string): PeerId {
  try {
    return peerIdFromString(text)
  } catch (cause) {
    throw new MeshError('invalid_request', `"${text.slice(0, 128)}" is not a peer id`, { cause })
  }
}

/** @throws MeshError `settings_invalid` */
function parseMultiaddr(text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    throw new MeshError('settings_invalid', `"${text.slice(0, 256)}" is not a multiaddr`, {
      hint: 'Write it as /ip4/192.0.2.1/tcp/4701, with /p2p/PEER at the end to name the peer.',
      cause
    })
  }
}

function withPeer(address: Multiaddr, peerId: PeerId): Multiaddr {
  const named = address.getComponents().some(component => component.name === 'p2p')
  return named ? address : address.encapsulate(`/p2p/${peerId}`)
}

/** libp2p puts the causes into one text, an address a line. */
function listenError(listen: readonly string[], error: unknown): MeshError {
  const text = reasons(error)
  const message = error instanceof Error ? error.message : text
  const taken = /EADDRINUSE: address already in use (\S+)/.exec(message)?.[1]
  if (taken !== undefined) {
    return new MeshError('address_in_use', `another process listens on ${taken} already`, {
      hint: 'Stop that process, or choose another port to listen on; port 0 takes a free one.',
      details: { address: taken, listen },
      cause: error
    })
  }
  const why = /(?:listen )?(E[A-Z]+: [^\n]+)/.exec(message)?.[1] ?? text
  return new MeshError('settings_invalid', `cannot listen on ${listen.join(', ')}: ${why}`, {
    hint: 'Listen on an address of this machine, such as /ip4/0.0.0.0/tcp/4701, and a port above 1023.',
    details: { listen },
    cause: error
  })
}
