import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { type Identify, identify } from '@libp2p/identify'
import type { ConnectionGater, MultiaddrConnection, PeerId, PrivateKey, ServiceMap } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { type Tuning, tunes } from '@resultity/interface'
import type { Libp2pOptions } from 'libp2p'
import { ipOf, PEER_ADDRESSES_MAX, scopeOf } from './address-scope.ts'
import type { ConnectionLimits } from './connection-limits.ts'
import { COORDINATOR_AGENT, type MdnsInit, mdnsServiceTag } from './discovery-names.ts'
import type { MeshLimits } from './limits.ts'
import { stopDecodersOnceEmptied } from './tuning/emptied-decoder.ts'
import { frameCipher } from './tuning/frame-cipher.ts'
import { joinedWrites } from './tuning/joined-writes.ts'

export interface MeshServices extends ServiceMap {
  identify: Identify
  ping: Ping
}

export interface HostSettings {
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly mdns: boolean | MdnsInit
  readonly allowPeer: ((peerId: string) => boolean) | undefined
  readonly connections: ConnectionLimits
  /** Called with each peer that answers on the local network. libp2p reports every peer it learns of as discovered. */
  readonly onFoundLocally: (peerId: string) => void
  /** IP addresses and names that the operator gave: dialled whatever they are. */
  readonly named: ReadonlySet<string>
  readonly agent: string
  /** See `tuning/`: the bytes on the wire stay the same; how they are written and read changes. */
  readonly tuning: Tuning
}

/** A paused stream keeps the bytes that its window let through; it is cut off when they exceed its read buffer. */
const READ_BUFFER_BYTES_MIN = 8 * 1024 * 1024

/** Dials under way, to all peers. */
const PARALLEL_DIALS_MAX = 32

/** Below this, pings adapt to the link. */
const PING_TIMEOUT_SPREAD_MS = 4_000

/** TCP, noise, yamux, identify and ping; discovery by mDNS where it is asked for. */
export function libp2pOptions(settings: HostSettings, limits: MeshLimits): Libp2pOptions<MeshServices> {
  const { tuning } = settings
  if (tunes(tuning, 'emptied-decoder')) stopDecodersOnceEmptied()
  return {
    start: false,
    privateKey: settings.privateKey,
    nodeInfo: { userAgent: settings.agent },
    addresses: {
      listen: [...settings.listen],
      ...(settings.announce.length === 0 ? {} : { announce: [...settings.announce] })
    },
    transports: [transport(limits)],
    ...(tunes(tuning, 'joined-writes') ? { connectionProtector: () => joinedWrites } : {}),
    connectionEncrypters: [noise(tunes(tuning, 'frame-cipher') ? { crypto: frameCipher } : {})],
    streamMuxers: [muxer(limits)],
    connectionManager: connectionManager(limits),
    connectionMonitor: connectionMonitor(limits),
    connectionGater: gater(settings),
    peerDiscovery: settings.mdns === false ? [] : [localDiscovery(settings)],
    services: { identify: identify(), ping: ping() }
  }
}

/** Sockets above the limits on connections are not even accepted. */
function transport(limits: MeshLimits) {
  const maxConnections = limits.connectionsMax + limits.pendingInboundMax
  return tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true }, maxConnections })
}

function muxer(limits: MeshLimits) {
  return yamux({
    maxInboundStreams: limits.streamsPerConnectionMax,
    maxOutboundStreams: limits.streamsPerConnectionMax,
    // with more streams than that before the connection is known here it would be closed, and all who dialled at once refused
    maxEarlyStreams: limits.streamsPerConnectionMax,
    streamOptions: {
      // The initial window stays at its default: it is never advertised, and one that differs ends the connection.
      maxStreamWindowSize: limits.streamWindowBytesMax,
      maxReadBufferLength: Math.max(READ_BUFFER_BYTES_MIN, 2 * limits.streamWindowBytesMax)
    }
  })
}

function connectionManager(limits: MeshLimits) {
  return {
    // `ConnectionLimits` counts; this one lets handshakes at once pass, and knows no members
    maxConnections: limits.connectionsMax + limits.pendingInboundMax,
    maxPeerAddrsToDial: PEER_ADDRESSES_MAX,
    maxParallelDials: PARALLEL_DIALS_MAX,
    maxIncomingPendingConnections: limits.connectionsMax + limits.pendingInboundMax,
    inboundConnectionThreshold: limits.inboundPerSecondMax,
    dialTimeout: limits.dialTimeoutMs,
    addressDialTimeout: limits.addressDialTimeoutMs,
    inboundUpgradeTimeout: limits.inboundHandshakeTimeoutMs,
    outboundStreamProtocolNegotiationTimeout: limits.streamOpenTimeoutMs,
    inboundStreamProtocolNegotiationTimeout: limits.streamOpenTimeoutMs,
    connectionCloseTimeout: limits.closeTimeoutMs
  }
}

function connectionMonitor(limits: MeshLimits) {
  const { pingIntervalMs, pingTimeoutMs } = limits
  if (pingTimeoutMs === 0) return { enabled: false }
  const minTimeout = Math.max(1, pingTimeoutMs - PING_TIMEOUT_SPREAD_MS)
  return { pingInterval: pingIntervalMs, pingTimeout: { minTimeout, maxTimeout: pingTimeoutMs } }
}

/** Asked on the peer id that the handshake has proved, not on an address. */
function gater({ allowPeer = () => true, connections, named }: HostSettings): ConnectionGater {
  const denied = (peerId: PeerId): boolean => !allowPeer(peerId.toString())
  const refused = (peerId: PeerId, raw: MultiaddrConnection, inbound: boolean): boolean =>
    denied(peerId) || !connections.admitPeer(raw, addressKey(raw), peerId.toString(), inbound)
  return {
    denyDialPeer: denied,
    denyDialMultiaddr: address => scopeOf(address) === 'unusable' && !named.has(hostOf(address)),
    denyInboundConnection: raw => !connections.admitInbound(raw, addressKey(raw)),
    denyInboundEncryptedConnection: (peerId, raw) => refused(peerId, raw, true),
    denyOutboundEncryptedConnection: (peerId, raw) => refused(peerId, raw, false)
  }
}

function addressKey({ remoteAddr }: MultiaddrConnection): string {
  return ipOf(remoteAddr) ?? remoteAddr.toString()
}

function hostOf(address: Multiaddr): string {
  return address.getComponents()[0]?.value ?? ''
}

/** Only coordinators answer. Nodes look for coordinators, and learn of each other from them. */
function localDiscovery({ mdns: init, agent, onFoundLocally }: HostSettings) {
  const { serviceTag = mdnsServiceTag, intervalMs = 10_000 } = init === true || init === false ? {} : init
  const create = mdns({ serviceTag, interval: intervalMs, broadcast: agent.startsWith(COORDINATOR_AGENT) })
  return (components: Parameters<typeof create>[0]) => {
    const discovery = create(components)
    discovery.addEventListener('peer', ({ detail }) => onFoundLocally(detail.id.toString()))
    return discovery
  }
}
