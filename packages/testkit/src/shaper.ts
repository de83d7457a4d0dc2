import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** Bytes that wait in one direction before the sender is stopped. */
const WAITING_BYTES_MAX = 1024 * 1024

export interface LinkShape {
  /** One way, in milliseconds. */
  readonly delayMs: number
  /** Each way; `Infinity` for no limit. */
  readonly bytesPerSecond: number
  /** Takes bytes and passes none on, as a dead link does; both ends see an open connection. */
  readonly stalled: boolean
  /** Its connections are reset, and it takes no new ones. */
  readonly refusing: boolean
}

export interface ShaperInit extends Partial<LinkShape> {
  readonly target: { readonly host: string; readonly port: number }
}

/** One connection through it. */
interface Link {
  stalled: boolean
}

const OPEN_LINK: LinkShape = { delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY, stalled: false, refusing: false }

/** A TCP proxy that makes a link slow, narrow, silent or broken. It changes no byte and no order. */
export class Shaper implements AsyncDisposable {
  readonly #server: Server
  readonly #target: ShaperInit['target']
  readonly #sockets = new Set<Socket>()
  readonly #links = new Set<Link>()
  #shape: LinkShape
  #changed = Promise.withResolvers<void>()

  constructor({ target, ...shape }: ShaperInit) {
    this.#target = target
    this.#shape = { ...OPEN_LINK, ...shape }
    this.#server = createServer({ allowHalfOpen: true }, socket => this.#accept(socket))
  }

  /** Where to connect instead of the target. */
  get address(): { readonly host: string; readonly port: number } {
    const { port } = this.#server.address() as AddressInfo
    return { host: '127.0.0.1', port }
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Changes the link from the next piece of data on. */
  set(shape: Partial<LinkShape>): void {
    this.#shape = { ...this.#shape, ...shape }
    if (shape.refusing === true) this.drop()
    if (shape.stalled === false) for (const link of this.#links) link.stalled = false
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }

  /** Connections that there are carry nothing more, until `set` opens the link again; new ones do. */
  stallOpen(): void {
    for (const link of this.#links) link.stalled = true
  }

  /** Breaks every connection there is, as a pulled cable does in the end; new ones are accepted. */
  drop(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.set({ stalled: false })
    this.drop()
    if (this.#server.listening) await once(this.#server, 'close')
  }

  #accept(near: Socket): void {
    if (this.#shape.refusing) return void near.resetAndDestroy()
    const far = connect({ ...this.#target, allowHalfOpen: true })
    const link: Link = { stalled: false }
    this.#links.add(link)
    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      this.#sockets.add(from)
      from.setNoDelay(true)
      // the other end learns of it by its own socket; nothing else is to be done here
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        this.#links.delete(link)
      })
      this.#forward(link, from, to)
    }
  }

  /** Copies one direction: every piece leaves after its delay, at the link's pace, in order. */
  #forward(link: Link, from: Socket, to: Socket): void {
    let waitingBytes = 0
    let last = Promise.resolve()
    let freeAtMs = 0
    from.on('data', piece => {
      const { delayMs, bytesPerSecond } = this.#shape
      const now = performance.now()
      freeAtMs = Math.max(freeAtMs, now) + (piece.length / bytesPerSecond) * 1000
      const leaveAtMs = freeAtMs + delayMs
      waitingBytes += piece.length
      if (waitingBytes > WAITING_BYTES_MAX) from.pause()
      last = last.then(async () => {
        await this.#hold(link, leaveAtMs)
        if (!to.destroyed && !to.write(piece)) await hasRoom(to)
        waitingBytes -= piece.length
        if (waitingBytes <= WAITING_BYTES_MAX) from.resume()
      })
    })
    from.once('end', () => void last.then(() => to.end()))
  }

  async #hold(link: Link, leaveAtMs: number): Promise<void> {
    while (this.#shape.stalled || link.stalled) await this.#changed.promise
    const waitMs = leaveAtMs - performance.now()
    if (waitMs > 0) await setTimeout(waitMs)
  }
}

/** Resolves once `socket` takes more, or is gone. */
async function hasRoom(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.once('drain', resolve).once('close', resolve)
  await promise
  socket.off('drain', resolve).off('close', resolve)
}

/** Starts a {@link Shaper} in front of `target`. */
export async function startShaper(init: ShaperInit): Promise<Shaper> {
  const shaper = new Shaper(init)
  await shaper.listen()
  return shaper
}
