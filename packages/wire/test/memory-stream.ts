import type { AbortOptions } from '@resultity/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import type { ByteStream, Bytes, StreamClosed } from '../src/index.ts'

export interface MemoryStreamInit {
  /** Pieces in which bytes arrive. */
  readonly pieceBytes: number
  /** Bytes the reading end keeps before the writing end has to wait. */
  readonly windowBytes: number
}

class MessageEvent extends Event {
  readonly data: Bytes
  constructor(data: Bytes) {
    super('message')
    this.data = data
  }
}

class CloseEvent extends Event implements StreamClosed {
  readonly local: boolean
  readonly error: Error | undefined
  constructor(local: boolean, error?: Error) {
    super('close')
    this.local = local
    this.error = error
  }
}

/** One end of a pair that behaves as a libp2p 3 stream does, bytes going over in microtasks. */
export class MemoryStream implements ByteStream {
  readonly #events = new EventTarget()
  status: ByteStream['status'] = 'open'
  readStatus: ByteStream['readStatus'] = 'readable'
  remoteWriteStatus: ByteStream['remoteWriteStatus'] = 'writable'
  writableNeedsDrain = false
  /** Fail as a libp2p stream does when it cannot tell the peer that there is room again. */
  breakResume = false
  /** Fail as a libp2p stream does whose connection goes before all is sent. */
  breakClose = false
  readBufferLengthMax = 0
  writeBufferLengthMax = 0
  readonly #init: MemoryStreamInit
  readonly #unsent = new Uint8ArrayList()
  readonly #unread = new Uint8ArrayList()
  #peer: MemoryStream | undefined
  #listeners = 0
  #writeClosed = false
  #endSent = false

  constructor(init: MemoryStreamInit) {
    this.#init = init
  }

  static pair(init: MemoryStreamInit): [MemoryStream, MemoryStream] {
    const [a, b] = [new MemoryStream(init), new MemoryStream(init)]
    a.#peer = b
    b.#peer = a
    return [a, b]
  }

  get readBufferLength(): number {
    return this.#unread.byteLength
  }

  get writeBufferLength(): number {
    return this.#unsent.byteLength
  }

  /** A byte that still waits to be sent. */
  unsentAt(index: number): number | undefined {
    return this.#unsent.get(index)
  }

  send(data: Bytes): boolean {
    if (this.#writeClosed || this.status !== 'open') throw new Error('the stream is closed')
    this.#unsent.append(data)
    this.#flush()
    this.writeBufferLengthMax = Math.max(this.writeBufferLengthMax, this.writeBufferLength)
    this.writableNeedsDrain = this.writeBufferLength > 0
    return !this.writableNeedsDrain
  }

  pause(): void {
    this.readStatus = 'paused'
  }

  resume(): void {
    this.readStatus = 'readable'
    this.#deliver()
    if (this.breakResume) throw new Error('the connection is closed')
  }

  async close(_options?: AbortOptions): Promise<void> {
    if (this.breakClose) throw new Error('the connection is closed')
    this.#writeClosed = true
    this.#flush()
  }

  abort(error: Error): void {
    if (this.status !== 'open') return
    this.status = 'aborted'
    this.#unsent.consume(this.#unsent.byteLength)
    this.#unread.consume(this.#unread.byteLength)
    this.#events.dispatchEvent(new CloseEvent(true, error))
    const peer = this.#peer
    if (peer !== undefined) queueMicrotask(() => peer.#onReset())
  }

  /** The connection under the stream goes away, as when the peer's process is killed. */
  lose(): void {
    this.status = 'closed'
    this.#events.dispatchEvent(new CloseEvent(false))
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#events.addEventListener(type, listener as EventListener)
    if (type !== 'message') return
    this.#listeners++
    queueMicrotask(() => this.#deliver())
  }

  removeEventListener(type: string, listener: (event: never) => void): void {
    this.#events.removeEventListener(type, listener as EventListener)
    if (type === 'message') this.#listeners--
  }

  /** Moves what fits into the peer's window. */
  #flush(): void {
    const peer = this.#peer
    if (peer === undefined) return
    const count = Math.min(this.#init.windowBytes - peer.#unread.byteLength, this.#unsent.byteLength)
    if (count > 0) {
      // the peer gets bytes of its own, as over a network
      peer.#unread.append(this.#unsent.slice(0, count))
      this.#unsent.consume(count)
      peer.readBufferLengthMax = Math.max(peer.readBufferLengthMax, peer.#unread.byteLength)
      queueMicrotask(() => peer.#deliver())
    }
    if (this.#writeClosed && this.#unsent.byteLength === 0 && !this.#endSent) {
      this.#endSent = true
      queueMicrotask(() => peer.#onRemoteEnd())
    }
  }

  #deliver(): void {
    while (this.#listeners > 0 && this.readStatus === 'readable' && this.#unread.byteLength > 0) {
      const count = Math.min(this.#init.pieceBytes, this.#unread.byteLength)
      const piece = this.#unread.sublist(0, count)
      this.#unread.consume(count)
      this.#events.dispatchEvent(new MessageEvent(piece))
    }
    const peer = this.#peer
    if (peer !== undefined) peer.#onWindow()
  }

  #onWindow(): void {
    if (this.#unsent.byteLength === 0) return
    this.#flush()
    this.writableNeedsDrain = false
    this.#events.dispatchEvent(new Event('drain'))
  }

  #onRemoteEnd(): void {
    this.remoteWriteStatus = 'closed'
    this.#events.dispatchEvent(new Event('remoteCloseWrite'))
  }

  #onReset(): void {
    if (this.status !== 'open') return
    this.status = 'reset'
    this.#events.dispatchEvent(new CloseEvent(false, new Error('reset')))
  }
}
