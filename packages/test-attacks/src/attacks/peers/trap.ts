import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'

/** A port that nobody has a reason to dial. */
export class Trap implements AsyncDisposable {
  readonly #server: Server
  #dialled = 0

  private constructor() {
    this.#server = createServer(socket => {
      this.#dialled += 1
      socket.destroy()
    })
  }

  static async open(): Promise<Trap> {
    const trap = new Trap()
    trap.#server.listen(0, '127.0.0.1')
    await once(trap.#server, 'listening')
    return trap
  }

  get multiaddr(): string {
    return `/ip4/127.0.0.1/tcp/${(this.#server.address() as AddressInfo).port}`
  }

  /** Connections so far. */
  get dialled(): number {
    return this.#dialled
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    await once(this.#server, 'close')
  }
}
