import type { AbortOptions } from '@resultity/interface'
import type { ByteStream, Bytes, StreamClosed } from '@resultity/wire'
import { type StreamEvents, type StreamListener, StreamListeners } from './stream-listeners.ts'

/** Carries what one end of a stream says to the other end, in order, or never. */
export type Carry = (bytes: number, deliver: (peer: MemoryStream) => void) => void

/** Bytes under way to a peer, or not yet read there; more wait here. As yamux begins with. */
const WINDOW_BYTES = 256 * 1024

/** Sent in one piece at the most. */
const PIECE_BYTES = 64 * 1024

/** One end of a stream in memory. It behaves as a stream of libp2p 3 does, events and states included. */
export class MemoryStream implements ByteStream {
  status: ByteStream['status'] = 'open'
  readStatus: ByteStream['readStatus'] = 'readable'
  remoteWriteStatus: ByteStream['remoteWriteStatus'] = 'writable'
  writableNeedsDrain = false
  writeBufferLength = 0
  readBufferLength = 0
  readonly #carry: Carry
  readonly #onOver: () => void
  readonly #listeners = new StreamListeners()
  #writeStatus: 'writable' | 'closing' | 'closed' = 'writable'
  #outgoing: Uint8Array[] = []
  #incoming: Uint8Array[] = []
  /** Sent, and not yet known to be read. */
  #underWay = 0
  /** Read, and the peer has not been told. */
  #unacknowledged = 0

  /** @param onOver called once, when neither side can say anything more */
  constructor(carry: Carry, onOver: () => void) {
    this.#carry = carry
    this.#onOver = onOver
  }

  send(data: Bytes): boolean {
    if (this.#writeStatus !== 'writable') throw new Error(`Cannot write to a stream that is ${this.#writeStatus}`)
    // held by reference until it is sent, as the port says
    this.#outgoing.push(data instanceof Uint8Array ? data : data.subarray())
    this.writeBufferLength += data.byteLength
    return this.#pump()
  }

  pause(): void {
    this.#requireReadable('pause')
    this.readStatus = 'paused'
  }

  resume(): void {
    this.#requireReadable('resume')
    if (this.readStatus === 'readable') return
    this.readStatus = 'readable'
    this.#handOver()
  }

  async close(options: AbortOptions = {}): Promise<void> {
    if (this.#writeStatus !== 'writable') return
    this.#writeStatus = 'closing'
    while (this.writeBufferLength > 0) await this.#drained(options.signal)
    if (this.#writeStatus !== 'closing') return
    this.#carry(0, peer => peer.#peerClosed())
    this.#writeStatus = 'closed'
    if (this.remoteWriteStatus === 'closed') this.transportClosed()
  }

  abort(error: Error): void {
    if (this.#isOver) return
    this.#forget()
    this.#carry(0, peer => peer.#peerReset())
    this.#over({ error, local: true })
  }

  addEventListener(type: keyof StreamEvents, listener: StreamListener): void {
    this.#listeners.add(type, listener)
    if (type === 'message' && this.readBufferLength > 0) queueMicrotask(() => this.#handOver())
  }

  removeEventListener(type: keyof StreamEvents, listener: StreamListener): void {
    this.#listeners.delete(type, listener)
  }

  /** The connection has gone: by an error, or because its other end has closed. */
  transportClosed(error?: Error): void {
    if (this.#isOver) return
    if (error !== undefined) {
      this.#forget()
      this.#over({ error })
      return
    }
    this.#writeStatus = 'closed'
    this.remoteWriteStatus = 'closed'
    if (this.readBufferLength === 0) this.readStatus = 'closed'
    this.status = 'closed'
    this.#over({})
  }

  get #isOver(): boolean {
    return this.status === 'closed' || this.status === 'aborted' || this.status === 'reset'
  }

  /** @returns whether the transport has room for more */
  #pump(): boolean {
    for (;;) {
      const [first] = this.#outgoing
      if (first === undefined) break
      const count = Math.min(first.byteLength, PIECE_BYTES, WINDOW_BYTES - this.#underWay)
      if (count <= 0 && first.byteLength > 0) {
        this.writableNeedsDrain = true
        return false
      }
      const piece = first.slice(0, count)
      if (count === first.byteLength) this.#outgoing.shift()
      else this.#outgoing[0] = first.subarray(count)
      this.writeBufferLength -= count
      this.#underWay += count
      if (count > 0) this.#carry(count, peer => peer.#receive(piece))
    }
    this.#listeners.dispatch('idle')
    return true
  }

  #receive(piece: Uint8Array): void {
    if (this.readStatus === 'closed' || this.#isOver) return
    this.#incoming.push(piece)
    this.readBufferLength += piece.byteLength
    this.#handOver()
  }

  #handOver(): void {
    if (!this.#listeners.has('message') || this.readStatus !== 'readable') return
    while (this.#incoming.length > 0 && this.readStatus === 'readable') {
      const piece = this.#incoming.shift()
      if (piece === undefined) break
      this.readBufferLength -= piece.byteLength
      this.#acknowledge(piece.byteLength)
      this.#listeners.dispatch('message', { data: piece })
    }
    if (this.readBufferLength === 0 && this.remoteWriteStatus === 'closed') this.readStatus = 'closed'
  }

  /** The peer may send more. Told in halves of the window: a word for every piece would double what is sent. */
  #acknowledge(bytes: number): void {
    this.#unacknowledged += bytes
    if (this.#unacknowledged < WINDOW_BYTES / 2 || this.remoteWriteStatus === 'closed' || this.#isOver) return
    const read = this.#unacknowledged
    this.#unacknowledged = 0
    this.#carry(0, peer => peer.#acknowledged(read))
  }

  #acknowledged(bytes: number): void {
    this.#underWay -= bytes
    if (!this.writableNeedsDrain || this.#isOver) return
    this.writableNeedsDrain = false
    if (this.#pump()) this.#listeners.dispatch('drain')
  }

  #peerClosed(): void {
    if (this.remoteWriteStatus === 'closed') return
    this.remoteWriteStatus = 'closed'
    this.#listeners.dispatch('remoteCloseWrite')
    if (this.readBufferLength === 0 && !this.#isOver) this.readStatus = 'closed'
    if (this.#writeStatus === 'closed') this.transportClosed()
  }

  #peerReset(): void {
    if (this.#isOver) return
    this.status = 'reset'
    this.#forgetUnsent()
    // what came before may still be read
    if (this.readBufferLength === 0) this.readStatus = 'closed'
    this.#over({ error: new Error('the stream was reset') })
  }

  #forget(): void {
    this.status = 'aborted'
    this.#forgetUnsent()
    this.readStatus = 'closed'
    this.#incoming = []
    this.readBufferLength = 0
  }

  #forgetUnsent(): void {
    this.#writeStatus = 'closed'
    this.remoteWriteStatus = 'closed'
    this.#outgoing = []
    this.writeBufferLength = 0
  }

  #over(event: StreamClosed): void {
    this.#onOver()
    this.#listeners.dispatch('close', event)
  }

  /** Resolves once something was sent. @throws when the stream ends, or the signal's reason */
  async #drained(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = (): void => reject(signal?.reason)
    const onClose = ({ error }: StreamClosed): void => reject(error ?? new Error('the stream was closed'))
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#listeners.add('idle', resolve)
    this.#listeners.add('close', onClose)
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#listeners.delete('idle', resolve)
      this.#listeners.delete('close', onClose)
    }
  }

  #requireReadable(what: string): void {
    if (this.readStatus === 'closed') throw new Error(`Cannot ${what} a stream that is closed`)
  }
}
