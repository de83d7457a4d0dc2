/**
 * Every limit of a host, each a setting. The memory a peer can pin is about connections × streams × twice the
 * window, so the numbers hang together.
 */
export interface MeshLimits {
  /** Open connections. Above it a member replaces a stranger, and any other peer is refused. */
  readonly connectionsMax: number
  /** Open connections of one peer; one more replaces its oldest. */
  readonly connectionsPerPeerMax: number
  /** Share of the connections for peers that are not members, once the host knows members. */
  readonly strangersFraction: number
  /** Inbound connections of one address that are no members'. */
  readonly strangersPerAddressMax: number
  /** After this time, the connection of a stranger may be replaced by that of another. */
  readonly strangerGraceMs: number
  /** Inbound connections that have not finished their handshake. One more takes the place of the oldest. */
  readonly pendingInboundMax: number
  /** The same, of one address. */
  readonly pendingPerAddressMax: number
  /** Inbound connections of one address in one second. */
  readonly inboundPerSecondMax: number
  /** Streams of one connection, each way. */
  readonly streamsPerConnectionMax: number
  /**
   * Largest receive window of one stream, in bytes. Larger is faster over long links (4 MiB from 20 ms round trip
   * on) and lets a bulk transfer hold up the other streams of its connection for longer.
   */
  readonly streamWindowBytesMax: number
  /** Time to dial a peer, over all of its addresses. */
  readonly dialTimeoutMs: number
  /** Time to dial one address of a peer. */
  readonly addressDialTimeoutMs: number
  /** Agreeing on a stream's protocol. */
  readonly streamOpenTimeoutMs: number
  /** Handshake of an inbound connection. */
  readonly inboundHandshakeTimeoutMs: number
  /**
   * How often a connection is pinged. Must be above `pingTimeoutMs`: a second ping while the first is out exceeds
   * the ping protocol's stream limit, and that ends the connection.
   */
  readonly pingIntervalMs: number
  /**
   * A connection whose ping is not answered for longer than this is closed; 0 switches pings off. It is long, because a
   * busy peer is not a dead one.
   */
  readonly pingTimeoutMs: number
  /** First wait before a join address is dialled again; doubles up to `redialMaxMs`, with jitter. */
  readonly redialMinMs: number
  readonly redialMaxMs: number
  /** Time for connections to close gracefully. */
  readonly closeTimeoutMs: number
}

/** Limits for a coordinator and some hundred nodes on a local network. */
export const DEFAULT_MESH_LIMITS: MeshLimits = {
  connectionsMax: 128,
  connectionsPerPeerMax: 4,
  strangersFraction: 0.25,
  strangersPerAddressMax: 32,
  strangerGraceMs: 15_000,
  pendingInboundMax: 32,
  pendingPerAddressMax: 16,
  inboundPerSecondMax: 20,
  streamsPerConnectionMax: 256,
  streamWindowBytesMax: 1024 * 1024,
  dialTimeoutMs: 10_000,
  addressDialTimeoutMs: 6_000,
  streamOpenTimeoutMs: 10_000,
  inboundHandshakeTimeoutMs: 10_000,
  pingIntervalMs: 25_000,
  pingTimeoutMs: 24_000,
  redialMinMs: 500,
  redialMaxMs: 30_000,
  closeTimeoutMs: 1_000
}
