import { MeshError, systemScheduler } from '@resultity/interface'

/** A raw connection, before libp2p has turned it into its own. */
export interface RawConnection {
  /** Address of the other end. */
  readonly remoteAddr: { toString(): string }
  abort(error: Error): void
  addEventListener(type: 'close', listener: () => void): void
}

export interface ConnectionLimitsInit {
  /** Connections whose handshake is over, in all. */
  readonly connectionsMax: number
  /** Of these, the connections of one peer: one more replaces its oldest. */
  readonly connectionsPerPeerMax: number
  /** Of these, the connections of peers that are not members: the rest is kept for members. */
  readonly strangersMax: number
  /** Inbound connections of one address that are not members', those in their handshake included. */
  readonly strangersPerAddressMax: number
  /** Inbound connections in their handshake: one more takes the place of the oldest, of the address that has the most. */
  readonly pendingMax: number
  /** The same of one address: one more is refused. */
  readonly pendingPerAddressMax: number
  /** After this time, the connection of a stranger may be replaced by that of another. */
  readonly strangerGraceMs: number
}

interface Entry {
  readonly raw: RawConnection
  readonly ip: string
  readonly inbound: boolean
  /** Undefined until the handshake has proved it. */
  peerId: string | undefined
  sinceMs: number
}

/**
 * Decides which connections a host has. It limits them in all, per peer and per address, and keeps room for members
 * whatever strangers do. It counts a connection from its first byte, so that several handshakes at once cannot pass a
 * limit.
 */
export class ConnectionLimits {
  readonly #init: ConnectionLimitsInit
  readonly #now: () => number
  readonly #entries = new Map<RawConnection, Entry>()
  /** Whether a peer is a member; undefined while no peer counts as a stranger. */
  #isMember: ((peerId: string) => boolean) | undefined

  constructor(init: ConnectionLimitsInit, now: () => number = () => systemScheduler.monotonic()) {
    this.#init = init
    this.#now = now
  }

  /** Connections, those in their handshake included. */
  get count(): number {
    return this.#entries.size
  }

  /** From now on, peers for which `isMember` returns false are strangers. */
  setMembers(isMember: (peerId: string) => boolean): void {
    this.#isMember = isMember
  }

  /** Whether an inbound connection may begin its handshake. */
  admitInbound(raw: RawConnection, ip: string): boolean {
    const { strangersPerAddressMax, pendingMax, pendingPerAddressMax } = this.#init
    const ofAddress = [...this.#entries.values()].filter(entry => entry.inbound && entry.ip === ip)
    if (ofAddress.filter(({ peerId }) => peerId === undefined).length >= pendingPerAddressMax) return false
    const strangers = ofAddress.filter(({ peerId }) => peerId === undefined || this.#isStranger(peerId))
    if (strangers.length >= strangersPerAddressMax && !this.#evictOldStranger(strangers)) return false
    // nobody knows yet who comes: those who hold handshakes open must not keep a member out
    if (this.#pending().length >= pendingMax) this.#evict(oldestOfMost(this.#pending()))
    this.#track({ raw, ip, inbound: true, peerId: undefined, sinceMs: this.#now() })
    return true
  }

  /** Whether a peer whose handshake is over may stay. */
  admitPeer(raw: RawConnection, ip: string, peerId: string, inbound: boolean): boolean {
    const { connectionsMax, connectionsPerPeerMax, strangersMax } = this.#init
    const established = [...this.#entries.values()].filter(entry => entry.peerId !== undefined && entry.raw !== raw)
    const ofPeer = established.filter(entry => entry.peerId === peerId)
    const strangers = established.filter(entry => entry.inbound && this.#isStranger(entry.peerId))
    // this host wants the peers that it dials: only an inbound peer can be a stranger
    const stranger = inbound && this.#isStranger(peerId)
    if (ofPeer.length >= connectionsPerPeerMax) this.#evict(oldest(ofPeer))
    else if (stranger && strangers.length >= strangersMax && !this.#evictOldStranger(strangers)) return false
    else if (!stranger && established.length >= connectionsMax && !this.#evict(oldest(strangers))) return false
    else if (stranger && established.length >= connectionsMax && !this.#evictOldStranger(strangers)) return false
    const entry = this.#entries.get(raw) ?? this.#track({ raw, ip, inbound, peerId, sinceMs: this.#now() })
    entry.peerId = peerId
    entry.sinceMs = this.#now()
    return true
  }

  #pending(): Entry[] {
    return [...this.#entries.values()].filter(({ inbound, peerId }) => inbound && peerId === undefined)
  }

  #isStranger(peerId: string | undefined): boolean {
    return peerId !== undefined && this.#isMember !== undefined && !this.#isMember(peerId)
  }

  #track(entry: Entry): Entry {
    this.#entries.set(entry.raw, entry)
    entry.raw.addEventListener('close', () => this.#entries.delete(entry.raw))
    return entry
  }

  #evictOldStranger(strangers: readonly Entry[]): boolean {
    const old = oldest(strangers.filter(({ peerId }) => peerId !== undefined))
    if (old === undefined || this.#now() - old.sinceMs < this.#init.strangerGraceMs) return false
    return this.#evict(old)
  }

  #evict(entry: Entry | undefined): boolean {
    if (entry === undefined) return false
    // its place is free at once, whenever the socket says that it has closed
    this.#entries.delete(entry.raw)
    entry.raw.abort(new MeshError('resource_exhausted', 'the connection made way for another one'))
    return true
  }
}

/** Of the address with the most entries; of several such addresses, of the one with the oldest entry. */
function oldestOfMost(entries: readonly Entry[]): Entry | undefined {
  const byAddress = [...Map.groupBy(entries, ({ ip }) => ip).values()]
  const most = Math.max(0, ...byAddress.map(({ length }) => length))
  return oldest(byAddress.filter(({ length }) => length === most).flat())
}

function oldest(entries: readonly Entry[]): Entry | undefined {
  return entries.toSorted((a, b) => a.sinceMs - b.sinceMs)[0]
}
