import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { type Identify, identify } from '@libp2p/identify'
import type { ConnectionGater, PeerId, PrivateKey, ServiceMap } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import type { Libp2pOptions } from 'libp2p'
import { COORDINATOR_AGENT, type MdnsInit, mdnsServiceTag } from './discovery-names.ts'
import { stopDecodersOnceEmptied } from './emptied-decoder.ts'
import { frameCipher } from './frame-cipher.ts'
import { joinedWrites } from './joined-writes.ts'
import type { MeshLimits } from './limits.ts'

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
  readonly agent: string
}

/** A paused stream keeps what its window let through; it is cut off when that exceeds its read buffer. */
const READ_BUFFER_BYTES_MIN = 8 * 1024 * 1024

/** Below this, pings adapt to the link. */
const PING_TIMEOUT_SPREAD_MS = 4_000

/** TCP, noise, yamux, identify and ping; discovery by mDNS where it is asked for. */
export function libp2pOptions(settings: HostSettings, limits: MeshLimits): Libp2pOptions<MeshServices> {
  stopDecodersOnceEmptied()
  return {
    start: false,
    privateKey: settings.privateKey,
    nodeInfo: { userAgent: settings.agent },
    addresses: {
      listen: [...settings.listen],
      ...(settings.announce.length === 0 ? {} : { announce: [...settings.announce] })
    },
    transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
    connectionProtector: () => joinedWrites,
    connectionEncrypters: [noise({ crypto: frameCipher })],
    streamMuxers: [muxer(limits)],
    connectionManager: connectionManager(limits),
    connectionMonitor: connectionMonitor(limits),
    connectionGater: gater(settings.allowPeer),
    peerDiscovery: settings.mdns === false ? [] : [localDiscovery(settings)],
    services: { identify: identify(), ping: ping() }
  }
}

function muxer(limits: MeshLimits) {
  return yamux({
    maxInboundStreams: limits.streamsPerConnectionMax,
    maxOutboundStreams: limits.streamsPerConnectionMax,
    streamOptions: {
      // The initial window stays at its default: it is never advertised, and one that differs ends the connection.
      maxStreamWindowSize: limits.streamWindowBytesMax,
      maxReadBufferLength: Math.max(READ_BUFFER_BYTES_MIN, 2 * limits.streamWindowBytesMax)
    }
  })
}

function connectionManager(limits: MeshLimits) {
  return {
    maxConnections: limits.connectionsMax,
    maxIncomingPendingConnections: limits.pendingInboundMax,
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
function gater(allowPeer: ((peerId: string) => boolean) | undefined): ConnectionGater {
  if (allowPeer === undefined) return {}
  const denied = (peerId: PeerId): boolean => !allowPeer(peerId.toString())
  return { denyDialPeer: denied, denyInboundEncryptedConnection: denied, denyOutboundEncryptedConnection: denied }
}

/** Only coordinators answer: nodes look for them, and learn of each other from them. */
function localDiscovery({ mdns: init, agent }: HostSettings) {
  const { serviceTag = mdnsServiceTag, intervalMs = 10_000 } = init === true || init === false ? {} : init
  return mdns({ serviceTag, interval: intervalMs, broadcast: agent.startsWith(COORDINATOR_AGENT) })
}
