import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { multiaddr } from './tcp-address.ts'

/**
 * Passes connections on, from another address of this machine: to daemons, whoever dials through it is another machine than
 * their own peers. Limits are counted by address.
 */
export class SourceAddress implements AsyncDisposable {
  /** The IP address that daemons see. */
  readonly ip: string
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()

  constructor(ip: string) {
    this.ip = ip
  }

  /** @returns the multiaddress to dial instead of `target` */
  async through(target: string): Promise<string> {
    const { host, port, tail } = multiaddr(target)
    const server = createServer({ allowHalfOpen: true }, socket => this.#pass(socket, { host, port }))
    this.#servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}${tail}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#servers.map(server => once(server, 'close'))
    for (const server of this.#servers) server.close()
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(closed)
  }

  #pass(socket: Socket, to: { readonly host: string; readonly port: number }): void {
    const onward = connect({ ...to, localAddress: this.ip, allowHalfOpen: true, noDelay: true })
    for (const [one, other] of [
      [socket, onward],
      [onward, socket]
    ] as const) {
      this.#sockets.add(one)
      one.pipe(other)
      // either side's end is the other's
      one.on('error', () => other.destroy())
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
    }
  }
}
