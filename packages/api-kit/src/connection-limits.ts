import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Scheduler, systemScheduler } from '@resultity/interface'
import ipaddr from 'ipaddr.js'
import type { Logger } from 'pino'

export interface ConnectionLimits {
  /** Connections at once. */
  readonly connectionsMax: number
  /** Of these, from one address, or one IPv6 network of 64 bits; this machine's own are not counted. */
  readonly connectionsPerAddressMax: number
  /** Requests on one connection that have no answer yet; HTTP clients send the next when the last is answered. */
  readonly pipelinedMax: number
  /** Requests on one connection before it is closed. */
  readonly requestsPerConnectionMax: number
  readonly headerBytesMax: number
  readonly headersMax: number
  /** From a connection, or a request's first byte, to the end of its headers. */
  readonly headersReceiveMs: number
  /** Receiving one whole request. */
  readonly requestReceiveMs: number
  /** From an answer to the next request on the same connection. */
  readonly keepAliveMs: number
  /** A client that takes nothing of its answer for so long is given up. */
  readonly clientStallMs: number
}

/** How late the times of receiving are noticed. */
const CHECK_MS = 2000

/** What a coordinator has open without any client, and a little for what comes and goes: files, database, nodes. */
const FILES_KEPT = 48

/** Fewer would be no server. */
const CONNECTIONS_MIN = 8

/** After a shortage: long enough for what was shed to be closed. */
const PAUSE_MS = 1000

/** Refusals come in floods; so often they are written down, with how many they were. */
const LOG_MS = 1000

/**
 * How many connections fit: half of the files that are left, for nodes and their weights take the other half.
 * @param openFilesMax of this process; undefined for no limit
 */
export function connectionsWithin(wanted: number, openFilesMax: number | undefined): number {
  if (openFilesMax === undefined) return wanted
  return Math.max(CONNECTIONS_MIN, Math.min(wanted, Math.floor((openFilesMax - FILES_KEPT) / 2)))
}

/** What counts as one sender; undefined for this machine, where a proxy or any number of programs may be. */
export function senderOf(address: string | undefined): string | undefined {
  if (address === undefined || !ipaddr.isValid(address)) return ''
  const parsed = ipaddr.process(address)
  if (parsed.range() === 'loopback') return undefined
  // the owner of an IPv6 address has its whole network
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString()
}

/** Bounds the connections of a server, and lets go of the idle ones when files run out. */
export class ConnectionLimiter {
  readonly server: Server
  readonly #limits: ConnectionLimits
  readonly #logger: Logger
  readonly #scheduler: Scheduler
  readonly #bySender = new Map<string, number>()
  readonly #unanswered = new WeakMap<Socket, number>()
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #refused = 0
  #lastLogMs = Number.NEGATIVE_INFINITY

  constructor(
    handler: RequestListener,
    limits: ConnectionLimits,
    logger: Logger,
    scheduler: Scheduler = systemScheduler
  ) {
    this.#scheduler = scheduler
    this.#limits = limits
    this.#logger = logger
    const server = createServer(
      {
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: limits.headersReceiveMs,
        requestTimeout: limits.requestReceiveMs,
        keepAliveTimeout: limits.keepAliveMs,
        connectionsCheckingInterval: CHECK_MS,
        // without a host is refused by access control, with a body that says so
        requireHostHeader: false
      },
      (request, response) => this.#answer(request, response, handler)
    )
    this.server = server
    server.maxHeadersCount = limits.headersMax
    server.maxRequestsPerSocket = limits.requestsPerConnectionMax
    server.maxConnections = limits.connectionsMax
    server.timeout = limits.clientStallMs
    server.on('drop', () => this.#count('all connections are taken'))
    server.on('connection', socket => this.#admit(socket))
    server.on('timeout', socket => this.#giveUp(socket))
  }

  /** Closes what is idle, and takes no connection for a moment. */
  shed(): void {
    this.#pausedUntilMs = this.#scheduler.monotonic() + PAUSE_MS
    this.server.closeIdleConnections()
  }

  #admit(socket: Socket): void {
    if (this.#scheduler.monotonic() < this.#pausedUntilMs) {
      this.#refuse(socket, 'files run out')
      return
    }
    const sender = senderOf(socket.remoteAddress)
    if (sender === undefined) return
    const count = (this.#bySender.get(sender) ?? 0) + 1
    if (count > this.#limits.connectionsPerAddressMax) {
      this.#refuse(socket, 'one address has too many')
      return
    }
    this.#bySender.set(sender, count)
    socket.once('close', () => {
      const left = (this.#bySender.get(sender) ?? 1) - 1
      if (left > 0) this.#bySender.set(sender, left)
      else this.#bySender.delete(sender)
    })
  }

  #answer(request: IncomingMessage, response: ServerResponse, handler: RequestListener): void {
    const { socket } = request
    const unanswered = (this.#unanswered.get(socket) ?? 0) + 1
    if (unanswered > this.#limits.pipelinedMax) {
      this.#refuse(socket, 'one connection sent too much at once')
      return
    }
    this.#unanswered.set(socket, unanswered)
    response.once('close', () => this.#unanswered.set(socket, (this.#unanswered.get(socket) ?? 1) - 1))
    handler(request, response)
  }

  /** Nothing has moved on it for long. One that waits for its answer waits for us: it is let be. */
  #giveUp(socket: Socket): void {
    const unsent = socket.writableLength > 0
    if (unsent) this.#refuse(socket, 'a client took nothing of its answer')
    else if ((this.#unanswered.get(socket) ?? 0) === 0) socket.destroy()
  }

  #refuse(socket: Socket, reason: string): void {
    this.#count(reason)
    socket.destroy()
  }

  #count(reason: string): void {
    const now = this.#scheduler.monotonic()
    this.#refused += 1
    if (now - this.#lastLogMs < LOG_MS) return
    const { connectionsMax, connectionsPerAddressMax } = this.#limits
    const facts = { code: 'resource_exhausted', reason, times: this.#refused, connectionsMax, connectionsPerAddressMax }
    this.#logger.warn(facts, 'connections were refused')
    this.#lastLogMs = now
    this.#refused = 0
  }
}
