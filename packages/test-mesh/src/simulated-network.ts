import { type LinkConditions, type LinkFault, type Links, LOCAL_LINKS } from './link-conditions.ts'
import { MemoryConnection } from './memory-connection.ts'
import type { NetworkHost } from './network-host.ts'

/** The first port that is given to who asks for any. */
const FIRST_PORT = 20_000

/** What lies between hosts: addresses, connections, and the faults that a test gives them. */
export class SimulatedNetwork implements Links {
  readonly conditions: LinkConditions
  readonly #listening = new Map<string, NetworkHost>()
  readonly #connections = new Set<MemoryConnection>()
  /** By sender and receiver. */
  readonly #faults = new Map<string, LinkFault>()
  #nextPort = FIRST_PORT

  constructor(conditions: LinkConditions = LOCAL_LINKS) {
    this.conditions = conditions
  }

  /** A port that nobody was given before. */
  takePort(): number {
    return this.#nextPort++
  }

  /**
   * @param address `/ip4/IP/tcp/PORT`
   * @returns false when another host listens there
   */
  listen(address: string, host: NetworkHost): boolean {
    if (this.#listening.has(address)) return false
    this.#listening.set(address, host)
    return true
  }

  /** Nobody listens at this host's addresses any more. */
  forget(host: NetworkHost): void {
    for (const [address, listener] of this.#listening) if (listener === host) this.#listening.delete(address)
  }

  /** Who listens at an address. */
  at(address: string): NetworkHost | undefined {
    return this.#listening.get(address)
  }

  fault(from: string, to: string): LinkFault | undefined {
    return this.#faults.get(`${from} ${to}`)
  }

  connect(dialler: NetworkHost, listener: NetworkHost): MemoryConnection {
    const connection = new MemoryConnection(this, dialler, listener, () => this.#connections.delete(connection))
    this.#connections.add(connection)
    return connection
  }

  /** Ends the connections between two peers, at both ends. */
  drop(a: string, b: string): void {
    for (const connection of this.#between(a, b)) connection.break(new Error('read ECONNRESET'))
  }

  /** Ends the connections between two peers, and lets them make none. */
  cut(a: string, b: string): void {
    this.#faults.set(`${a} ${b}`, 'cut').set(`${b} ${a}`, 'cut')
    this.drop(a, b)
  }

  /** What `from` sends to `to` stays under way. */
  stall(from: string, to: string): void {
    this.#faults.set(`${from} ${to}`, 'stalled')
    for (const connection of this.#between(from, to)) connection.stalled()
  }

  /** The link between two peers is whole again; what was held on it arrives. */
  heal(a: string, b: string): void {
    this.#faults.delete(`${a} ${b}`)
    this.#faults.delete(`${b} ${a}`)
    for (const connection of this.#between(a, b)) connection.healed()
  }

  healAll(): void {
    this.#faults.clear()
    for (const connection of this.#connections) connection.healed()
  }

  /** A host's process has ended, as by a kill: its peers see their connections end. */
  kill(host: NetworkHost): void {
    this.forget(host)
    for (const connection of [...this.#connections]) if (connection.isOf(host)) connection.kill(host)
  }

  #between(a: string, b: string): MemoryConnection[] {
    return [...this.#connections].filter(connection => connection.isBetween(a, b))
  }
}
