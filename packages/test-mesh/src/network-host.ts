import type { Scheduler } from '@resultity/interface'
import type { ByteStream } from '@resultity/wire'

/** One host's end of a connection. */
export interface ConnectionEnd {
  /** The host at the other end. */
  readonly remote: NetworkHost
  /** Multiaddr of the other end. */
  readonly remoteAddr: string
  readonly outbound: boolean
  readonly open: boolean
  /** @throws NoSuchProtocol; Error when the connection ends */
  openStream(protocol: string): Promise<ByteStream>
  /** Streams of `protocol` that the other end has open here. */
  inboundStreams(protocol: string): number
  /** Ends the connection; the other end learns of it. */
  close(): void
}

/** What a network asks of a host on it. */
export interface NetworkHost {
  readonly peerId: string
  /** Whose time it lives in: what reaches it happens there. */
  readonly scheduler: Scheduler
  /** What it calls itself. */
  readonly agent: string
  multiaddrs(): string[]
  /** Whether it wants connections with this peer. */
  allows(peerId: string): boolean
  connected(end: ConnectionEnd): void
  disconnected(end: ConnectionEnd): void
  /** Streams of `protocol` that one connection may have open; undefined: it does not speak it. */
  inboundStreamsMax(protocol: string): number | undefined
  accept(protocol: string, stream: ByteStream, end: ConnectionEnd): void
}

/** The peer does not speak the protocol of a stream. */
export class NoSuchProtocol extends Error {}
