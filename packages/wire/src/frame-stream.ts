import { type AbortOptions, MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import type { ByteStream, Bytes, StreamClosed } from './byte-stream.ts'
import { type FrameCodec, violation } from './frame-codec.ts'
import { FRAME_HEADER_BYTES, FrameReader, writeHeader } from './frame-reader.ts'
import type { FrameHandlers, FrameStreamInit } from './frame-stream-init.ts'

/** Received bytes that may wait while a handler is at work, before the sender is told to pause. */
const READ_QUEUE_BYTES = 256 * 1024

/** The same limit in pieces: many small pieces cost more than their bytes. */
const READ_QUEUE_PIECES = 1024

/** Smaller frames are sent in one piece: the encrypter and the socket make a write of every piece. */
const JOIN_BYTES_MAX = 32 * 1024

/** Time for a last frame, or the end of the own side, to reach a peer before the stream is cut. */
const LAST_FRAME_MS = 1000

const SENT: Promise<void> = Promise.resolve()

/**
 * Typed frames on a byte stream: u32 little-endian length, then a protobuf body.
 *
 * Reading: frames are handed out in order, never two at a time, as views of what was received where that is
 * possible. Writing: `send` queues at once and resolves when the queue is empty again: awaiting it is the back
 * pressure. The stream is done when `onEnd` has been called *and* this side is closed.
 */
export class FrameStream<Out, In> {
  readonly #stream: ByteStream
  readonly #codec: FrameCodec<Out, In>
  readonly #handlers: FrameHandlers<In>
  readonly #scheduler: Scheduler
  #init: FrameStreamInit
  readonly #reader: FrameReader
  #firstFrameTimer: Timer | undefined
  /** A frame is being handled; others wait in the reader. */
  #busy = false
  #paused = false
  #resuming = false
  /** The peer has ended its side; what it sent before may still wait. */
  #remoteEnded = false
  #ended = false
  #writeClosed = false
  #error: MeshError | undefined
  #room: PromiseWithResolvers<void> | undefined

  constructor(stream: ByteStream, codec: FrameCodec<Out, In>, handlers: FrameHandlers<In>, init: FrameStreamInit) {
    this.#stream = stream
    this.#codec = codec
    this.#handlers = handlers
    this.#init = init
    const { receivedBytesMax = init.frameBytesMax, firstFrame, scheduler = systemScheduler } = init
    this.#scheduler = scheduler
    this.#reader = new FrameReader(firstFrame?.bytesMax ?? receivedBytesMax, init.budget)
    if (firstFrame !== undefined) {
      this.#firstFrameTimer = scheduler.setTimeout(this.#onFirstFrameLate, firstFrame.timeoutMs)
    }
    this.#remoteEnded = stream.remoteWriteStatus === 'closed' && stream.status === 'open'
    stream.addEventListener('close', this.#onClose)
    stream.addEventListener('remoteCloseWrite', this.#onRemoteCloseWrite)
    stream.addEventListener('message', this.#onMessage)
    // a stream that ended before it was given to us reports nothing any more
    if (this.#remoteEnded || stream.status !== 'open') queueMicrotask(this.#onLateStart)
  }

  /** True once nothing more can be sent: this side was closed, or the stream ended with an error. */
  get closed(): boolean {
    return this.#writeClosed
  }

  /** Sets the largest body that may be received, from the next frame on. */
  limitFrames(receivedBytesMax: number): void {
    this.#init = { ...this.#init, receivedBytesMax }
    if (this.#firstFrameTimer === undefined) this.#reader.bodyBytesMax = receivedBytesMax
  }

  /**
   * Queues a frame. Resolves once everything queued has been handed to the transport, which is at once while it has
   * room; until then the frame's payload is held by reference and must not be overwritten. A rejection that nobody
   * awaits is no error of its own: `onEnd` reports why the stream ended.
   *
   * @throws MeshError `frame_too_large` (the stream stays usable), `unavailable` after `close`, `resource_exhausted`
   * when the peer has stopped reading, or the error that ended the stream
   */
  send(frame: Out, options?: AbortOptions): Promise<void> {
    return this.sendAll([frame], options)
  }

  /** Queues frames as {@link send} does each, small ones in one write; all of them, or none. */
  sendAll(frames: readonly Out[], options?: AbortOptions): Promise<void> {
    if (this.#writeClosed) return rejected(this.#error ?? closedHere())
    if (this.#stream.writeBufferLength > this.#queuedBytesMax) return rejected(this.#giveUpOnReader())
    let roomLeft: boolean
    try {
      roomLeft = this.#stream.send(this.#framed(frames))
    } catch (error) {
      return rejected(error instanceof MeshError ? error : lost('the stream can no longer be written to', error))
    }
    if (roomLeft && this.#stream.writeBufferLength === 0) return SENT
    return this.#waitForRoom(options)
  }

  /**
   * Ends this side once everything is sent; frames of the peer still arrive until it ends its own.
   * @throws MeshError `peer_unreachable` when the stream broke before everything was sent
   */
  async close(options: AbortOptions = {}): Promise<void> {
    if (this.#writeClosed) return
    this.#writeClosed = true
    try {
      await this.#stream.close(options)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw this.#error ?? lost('the stream broke before everything was sent', error)
    }
  }

  /** Ends both sides at once; the peer sees a reset without a reason. */
  abort(error: Error): void {
    if (this.#finish(MeshError.from(error))) this.#stream.abort(error)
  }

  /** Aborts the stream when `signal` aborts, also when it has already. Dispose of the result to let the stream outlive it. */
  abortOn(signal: AbortSignal): Disposable {
    const onAbort = (): void => this.abort(MeshError.from(signal.reason, 'canceled'))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    return { [Symbol.dispose]: () => signal.removeEventListener('abort', onAbort) }
  }

  /** Ends both sides, and tells the peer why where the protocol has a frame for that. */
  fail(error: MeshError): void {
    const canTell = !this.#writeClosed && this.#stream.status === 'open' && this.#stream.writeBufferLength === 0
    const last = canTell ? this.#codec.fault?.(error) : undefined
    if (last !== undefined) void this.send(last)
    if (!this.#finish(error)) return
    if (last === undefined) this.#stream.abort(error)
    else void this.#cutAfterFlush(error)
  }

  readonly #onMessage = (event: { readonly data: Bytes }): void => {
    this.#reader.push(event.data)
    this.#handlers.onBytes?.()
    if (this.#busy) this.#pauseWhenFull()
    else this.#readFrames()
  }

  /** Hands out complete frames. Stops at a handler's promise, which resumes it when it settles. */
  readonly #readFrames = (): void => {
    this.#busy = true
    try {
      for (;;) {
        if (this.#ended) return
        const body = this.#reader.next()
        if (body === undefined) break
        this.#onBody()
        const handled = this.#handlers.onFrame(this.#codec.decode(body))
        if (handled !== undefined) {
          handled.then(this.#readFrames, this.#onHandlerFailed)
          this.#pauseWhenFull()
          return
        }
      }
    } catch (error) {
      this.#onHandlerFailed(error)
      return
    }
    this.#busy = false
    this.#resume()
    this.#endWhenDone()
  }

  /** The first frame is here: the next may be as large as they may be, once its handler is through. */
  #onBody(): void {
    if (this.#firstFrameTimer === undefined) return
    this.#scheduler.clear(this.#firstFrameTimer)
    this.#firstFrameTimer = undefined
    this.#reader.bodyBytesMax = this.#init.receivedBytesMax ?? this.#init.frameBytesMax
  }

  readonly #onFirstFrameLate = (): void =>
    this.fail(new MeshError('deadline_exceeded', `no frame came within ${this.#init.firstFrame?.timeoutMs} ms`))

  readonly #onHandlerFailed = (error: unknown): void => this.fail(MeshError.from(error))

  readonly #onRemoteCloseWrite = (): void => {
    this.#remoteEnded = true
    this.#endWhenDone()
  }

  readonly #onClose = (event: StreamClosed): void => {
    this.#writeClosed = true
    this.#rejectRoom(lost('the peer reads no more', event.error))
    // after the peer's own end, a reset only says that it reads no more; everything it sent is here
    if (this.#remoteEnded && event.local !== true) this.#endWhenDone()
    else if (event.error instanceof MeshError) this.#finish(event.error)
    else
      this.#finish(lost(event.error === undefined ? 'the connection closed' : 'the peer reset the stream', event.error))
  }

  readonly #onLateStart = (): void => {
    const { status } = this.#stream
    if (status === 'open' || status === 'closing') this.#endWhenDone()
    else this.#finish(lost(`the stream was already ${status}`))
  }

  #endWhenDone(): void {
    if (!this.#remoteEnded || this.#busy || this.#paused || this.#stream.readBufferLength > 0) return
    if (!this.#reader.empty) this.fail(violation('the peer ended the stream in the middle of a frame'))
    else if (this.#finish(undefined) && this.#init.allowHalfOpen !== true) void this.#closeInAnswer()
  }

  /**
   * Marks the end, whichever side caused it.
   * @returns false when it was marked before
   */
  #finish(error: MeshError | undefined): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#scheduler.clear(this.#firstFrameTimer)
    // a stream that is over may be kept for long by who handled it
    this.#reader.clear()
    this.#stream.removeEventListener('message', this.#onMessage)
    this.#stream.removeEventListener('remoteCloseWrite', this.#onRemoteCloseWrite)
    if (error !== undefined) {
      this.#error = error
      this.#writeClosed = true
      this.#stream.removeEventListener('close', this.#onClose)
      this.#rejectRoom(error)
    }
    this.#handlers.onEnd(error)
    return true
  }

  async #closeInAnswer(): Promise<void> {
    try {
      await this.close({ signal: this.#scheduler.timeoutSignal(LAST_FRAME_MS) })
    } catch (error) {
      this.#stream.abort(MeshError.from(error))
    }
  }

  #cutAfterFlush(error: MeshError): Promise<void> {
    const cut = (): void => this.#stream.abort(error)
    return this.#stream.close({ signal: this.#scheduler.timeoutSignal(LAST_FRAME_MS) }).then(cut, cut)
  }

  #pauseWhenFull(): void {
    if (this.#paused || this.#resuming || this.#remoteEnded) return
    if (this.#reader.bytesQueued <= READ_QUEUE_BYTES && this.#reader.piecesQueued <= READ_QUEUE_PIECES) return
    if (this.#stream.readStatus !== 'readable') return
    this.#paused = true
    this.#stream.pause()
  }

  /**
   * Resumes the stream, which hands over everything that it kept while it was paused before this returns. A libp2p
   * stream that is paused in the middle of that forgets the rest, and goes on granting its peer room until its buffer
   * overflows. So pause it afterwards.
   */
  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#stream.readStatus !== 'paused') return
    this.#resuming = true
    try {
      this.#stream.resume()
    } catch (error) {
      // the kept bytes have been handed over; granting more room fails when the connection has closed since
      if (!this.#remoteEnded) this.#finish(lost('the connection closed', error))
    }
    this.#resuming = false
    if (this.#busy) this.#pauseWhenFull()
  }

  get #queuedBytesMax(): number {
    return this.#init.queuedBytesMax ?? 4 * this.#init.frameBytesMax
  }

  #giveUpOnReader(): MeshError {
    const waiting = this.#stream.writeBufferLength
    const error = new MeshError('resource_exhausted', `the peer does not read: ${waiting} bytes wait to be sent`, {
      hint: 'The peer is stuck or the link too slow; the stream was cut.',
      details: { bytes: waiting, bytesMax: this.#queuedBytesMax }
    })
    this.abort(error)
    return error
  }

  #framed(frames: readonly Out[]): Bytes {
    const all = frames.map(frame => this.#frame(frame))
    const [only] = all
    if (all.length === 1 && only !== undefined) return only
    const list = new Uint8ArrayList()
    list.appendAll(all)
    return list.byteLength <= JOIN_BYTES_MAX ? list.slice() : list
  }

  /** Header and body; small parts of it joined. */
  #frame(frame: Out): Bytes {
    const body = this.#codec.encode(frame, FRAME_HEADER_BYTES)
    const parts = Array.isArray(body) ? body : [body]
    let bytes = 0
    for (const part of parts) bytes += part.length
    const length = bytes - FRAME_HEADER_BYTES
    const { frameBytesMax } = this.#init
    if (length > frameBytesMax) {
      throw new MeshError('frame_too_large', `a frame of ${length} bytes to send, the limit is ${frameBytesMax}`, {
        details: { bytes: length, bytesMax: frameBytesMax }
      })
    }
    const head = parts[0]
    if (head !== undefined) writeHeader(head, length)
    if (parts.length === 1 && head !== undefined) return head
    return bytes <= JOIN_BYTES_MAX ? Buffer.concat(parts, bytes) : Uint8ArrayList.fromUint8Arrays(parts, bytes)
  }

  #waitForRoom(options: AbortOptions | undefined): Promise<void> {
    if (this.#room === undefined) {
      this.#room = Promise.withResolvers()
      this.#room.promise.catch(reportedByOnEnd)
      this.#stream.addEventListener('drain', this.#onRoom)
      this.#stream.addEventListener('idle', this.#onRoom)
    }
    const signal = options?.signal
    return signal === undefined ? this.#room.promise : orAborted(this.#room.promise, signal)
  }

  /** One `drain` can fire while most of a frame is still queued, so the queue itself is asked. */
  readonly #onRoom = (): void => {
    if (this.#stream.writeBufferLength > 0 || this.#stream.writableNeedsDrain) return
    this.#takeRoom()?.resolve()
  }

  #rejectRoom(error: MeshError): void {
    this.#takeRoom()?.reject(error)
  }

  #takeRoom(): PromiseWithResolvers<void> | undefined {
    const room = this.#room
    if (room === undefined) return undefined
    this.#room = undefined
    this.#stream.removeEventListener('drain', this.#onRoom)
    this.#stream.removeEventListener('idle', this.#onRoom)
    return room
  }
}

/** Settles like `promise`, or rejects with the signal's reason when that comes first. */
function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const waiting = new Promise<void>((resolve, reject) => {
    const onAbort = (): void => reject(MeshError.from(signal.reason, 'canceled'))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    const done = (): void => signal.removeEventListener('abort', onAbort)
    promise.then(resolve, reject).finally(done).catch(reportedByOnEnd)
  })
  waiting.catch(reportedByOnEnd)
  return waiting
}

function rejected(error: MeshError): Promise<void> {
  const promise = Promise.reject(error)
  promise.catch(reportedByOnEnd)
  return promise
}

/** A `send` that nobody awaits must not end the process: `onEnd` has the error. */
function reportedByOnEnd(): void {}

function closedHere(): MeshError {
  return new MeshError('unavailable', 'this side of the stream is closed')
}

function lost(message: string, cause?: unknown): MeshError {
  return new MeshError('peer_unreachable', message, {
    hint: 'The peer stopped, the network broke, or the peer has no free stream; try again or use another.',
    cause
  })
}
