/** Bounds and times of connections, requests and streams. */
export interface HttpLimits {
  /** HTTP requests at work at once; more are answered 429. */
  readonly requestsMax: number
  /** HTTP connections at once; fewer where the process may not open so many files. */
  readonly connectionsMax: number
  /** Of these, from one address, or one IPv6 network of 64 bits; this machine's own are not counted. */
  readonly connectionsPerAddressMax: number
  /** Requests on one connection that have no answer yet. */
  readonly pipelinedMax: number
  /** Requests on one connection before it is closed. */
  readonly requestsPerConnectionMax: number
  readonly bodyBytesMax: number
  readonly headerBytesMax: number
  readonly headersMax: number
  /** From a connection, or a request's first byte, to the end of its headers. */
  readonly headersReceiveMs: number
  /** From an answer to the next request on the same connection. */
  readonly keepAliveMs: number
  /** Receiving one whole request. */
  readonly requestReceiveMs: number
  /** Between keep-alive comments on a silent event stream. */
  readonly eventStreamPingMs: number
  /** A client that takes nothing for so long is given up. */
  readonly clientStallMs: number
}

/** What holds unless the operator says otherwise. */
export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  requestsMax: 8192,
  connectionsMax: 10_000,
  connectionsPerAddressMax: 1024,
  pipelinedMax: 16,
  requestsPerConnectionMax: 100_000,
  bodyBytesMax: 4 * 1024 * 1024,
  headerBytesMax: 16 * 1024,
  headersMax: 100,
  headersReceiveMs: 15_000,
  keepAliveMs: 72_000,
  requestReceiveMs: 60_000,
  eventStreamPingMs: 10_000,
  clientStallMs: 60_000
}
