import type { ByteStream } from '@resultity/wire'
import type { Links } from './link-conditions.ts'
import { MemoryStream } from './memory-stream.ts'
import { type ConnectionEnd, type NetworkHost, NoSuchProtocol } from './network-host.ts'

interface Parcel {
  readonly bytes: number
  readonly deliver: () => void
}

/** Two hosts, and what is under way between them: each way in order, as TCP has it. */
export class MemoryConnection {
  readonly #links: Links
  readonly #ends: readonly [MemoryConnectionEnd, MemoryConnectionEnd]
  readonly #onGone: () => void

  constructor(links: Links, dialler: NetworkHost, listener: NetworkHost, onGone: () => void) {
    this.#links = links
    this.#onGone = onGone
    const carry = (from: MemoryConnectionEnd, bytes: number, deliver: () => void): void =>
      this.#carry(from, bytes, deliver)
    const onEnd = (): void => {
      if (this.#ends.every(end => !end.open)) this.#onGone()
    }
    this.#ends = MemoryConnectionEnd.pair(dialler, listener, { carry, onEnd })
  }

  /** At the side of who dialled, and of who was dialled. */
  get ends(): readonly [ConnectionEnd, ConnectionEnd] {
    return this.#ends
  }

  isBetween(a: string, b: string): boolean {
    const [near, far] = this.#ends
    return (near.host.peerId === a && far.host.peerId === b) || (near.host.peerId === b && far.host.peerId === a)
  }

  isOf(host: NetworkHost): boolean {
    return this.#ends.some(end => end.host === host)
  }

  /** Both ends see it end. */
  break(error: Error): void {
    for (const end of this.#ends) end.host.scheduler.setTimeout(() => end.end(error), 0)
  }

  /** The process of `host` is gone: the other end sees that, when word of it arrives. */
  kill(host: NetworkHost): void {
    for (const end of this.#ends) {
      if (end.host !== host) continue
      const other = this.#other(end)
      this.#carry(end, 0, () => other.end(new Error('read ECONNRESET')))
      end.die()
    }
  }

  /** What one of the hosts sends stays under way from now on: in time both give the connection up. */
  stalled(): void {
    for (const end of this.#ends) {
      const giveUp = (): void => {
        if (this.#ends.some(one => this.#isStalled(one))) end.end(new Error('the connection was pinged in vain'))
      }
      end.host.scheduler.setTimeout(giveUp, this.#links.conditions.deadAfterMs)
    }
  }

  /** What was held under way goes on. */
  healed(): void {
    for (const end of this.#ends) for (const parcel of end.held.splice(0)) this.#send(end, parcel)
  }

  #carry(from: MemoryConnectionEnd, bytes: number, deliver: () => void): void {
    if (this.#isStalled(from)) from.held.push({ bytes, deliver })
    else this.#send(from, { bytes, deliver })
  }

  #send(from: MemoryConnectionEnd, { bytes, deliver }: Parcel): void {
    const to = this.#other(from)
    const { latencyMs, bytesPerMs = Number.POSITIVE_INFINITY } = this.#links.conditions
    const now = from.host.scheduler.monotonic()
    const arrivesMs = now + latencyMs(from.host.peerId, to.host.peerId) + bytes / bytesPerMs
    // never before what was sent earlier
    from.lastArrivalMs = Math.max(from.lastArrivalMs, arrivesMs)
    to.host.scheduler.setTimeout(() => {
      if (to.open) deliver()
    }, from.lastArrivalMs - now)
  }

  #isStalled(from: MemoryConnectionEnd): boolean {
    return this.#links.fault(from.host.peerId, this.#other(from).host.peerId) === 'stalled'
  }

  #other(end: MemoryConnectionEnd): MemoryConnectionEnd {
    const [near, far] = this.#ends
    return end === near ? far : near
  }
}

/** What an end asks of its connection. */
interface Wire {
  /** Brings something to the other end, where that is open by then. */
  carry(from: MemoryConnectionEnd, bytes: number, deliver: () => void): void
  onEnd(): void
}

class MemoryConnectionEnd implements ConnectionEnd {
  readonly host: NetworkHost
  readonly remote: NetworkHost
  readonly remoteAddr: string
  readonly outbound: boolean
  /** Under way from here, on a link that is stalled. */
  readonly held: Parcel[] = []
  lastArrivalMs = 0
  readonly #wire: Wire
  readonly #streams = new Set<MemoryStream>()
  readonly #inbound = new Map<string, number>()
  /** Streams that are being opened: how to say that they never will be. */
  readonly #opening = new Set<(error: Error) => void>()
  #open = true
  #other: MemoryConnectionEnd = this

  private constructor(host: NetworkHost, remote: NetworkHost, outbound: boolean, wire: Wire) {
    this.host = host
    this.remote = remote
    this.outbound = outbound
    this.remoteAddr = remote.multiaddrs()[0]?.replace(/\/p2p\/.*$/, '') ?? '/ip4/127.0.0.1/tcp/1'
    this.#wire = wire
  }

  static pair(
    dialler: NetworkHost,
    listener: NetworkHost,
    wire: Wire
  ): readonly [MemoryConnectionEnd, MemoryConnectionEnd] {
    const near = new MemoryConnectionEnd(dialler, listener, true, wire)
    const far = new MemoryConnectionEnd(listener, dialler, false, wire)
    near.#other = far
    far.#other = near
    return [near, far]
  }

  get open(): boolean {
    return this.#open
  }

  inboundStreams(protocol: string): number {
    return this.#inbound.get(protocol) ?? 0
  }

  openStream(protocol: string): Promise<ByteStream> {
    const { promise, resolve, reject } = Promise.withResolvers<ByteStream>()
    if (!this.#open) reject(new Error('the connection was closed'))
    this.#opening.add(reject)
    const near: MemoryStream = this.#stream(() => far)
    const far: MemoryStream = this.#other.#stream(() => near, protocol)
    this.#wire.carry(this, 0, () => {
      const answer = (settle: () => void): void => this.#wire.carry(this.#other, 0, settle)
      const streamsMax = this.#other.host.inboundStreamsMax(protocol)
      if (streamsMax === undefined) return answer(() => reject(new NoSuchProtocol(protocol)))
      answer(() => {
        this.#streams.add(near)
        resolve(near)
      })
      if (this.#other.inboundStreams(protocol) >= streamsMax) return far.abort(new Error('too many streams'))
      this.#other.#take(protocol, far)
    })
    return promise.finally(() => this.#opening.delete(reject))
  }

  close(): void {
    if (!this.#open) return
    const other = this.#other
    this.#wire.carry(this, 0, () => other.end(undefined))
    this.end(undefined)
  }

  /** The connection is over, seen from here. */
  end(error: Error | undefined): void {
    if (!this.#open) return
    this.#open = false
    for (const reject of [...this.#opening]) reject(error ?? new Error('the connection was closed'))
    for (const stream of [...this.#streams]) stream.transportClosed(error)
    this.host.disconnected(this)
    this.#wire.onEnd()
  }

  /** Its host is gone, and learns of nothing any more. */
  die(): void {
    this.#open = false
    this.#wire.onEnd()
  }

  #take(protocol: string, stream: MemoryStream): void {
    this.#streams.add(stream)
    this.#inbound.set(protocol, this.inboundStreams(protocol) + 1)
    this.host.accept(protocol, stream, this)
  }

  #stream(peer: () => MemoryStream, inboundProtocol?: string): MemoryStream {
    const stream: MemoryStream = new MemoryStream(
      (bytes, deliver) => this.#wire.carry(this, bytes, () => deliver(peer())),
      () => {
        if (!this.#streams.delete(stream) || inboundProtocol === undefined) return
        this.#inbound.set(inboundProtocol, this.inboundStreams(inboundProtocol) - 1)
      }
    )
    return stream
  }
}
