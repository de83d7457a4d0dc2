import type { AbortOptions } from '@resultity/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/** Bytes as a stream hands them over: one piece, or several that have not been joined. */
export type Bytes = Uint8Array | Uint8ArrayList

/** How a stream ended: `error` is set when it was aborted here or reset by the peer. */
export interface StreamClosed {
  readonly error?: Error | undefined
  /** True when this side aborted. */
  readonly local?: boolean | undefined
}

/**
 * A two-way byte stream that each side can end on its own. It is the part of a libp2p 3 stream that the wire needs, as
 * a structural type, so that tests can bring their own.
 *
 * Bytes that arrive before a `message` listener is there, or while paused, wait in a buffer of the stream.
 */
export interface ByteStream {
  readonly status: 'open' | 'closing' | 'closed' | 'aborted' | 'reset'
  readonly readStatus: 'readable' | 'paused' | 'closing' | 'closed'
  readonly remoteWriteStatus: 'writable' | 'closing' | 'closed'
  /** Bytes received and not yet handed over. */
  readonly readBufferLength: number
  /** Bytes sent and not yet taken by the transport; they are held by reference. */
  readonly writeBufferLength: number
  /** True from the moment the transport is full until it says `drain`. */
  readonly writableNeedsDrain: boolean

  /**
   * @returns false when the transport is full
   * @throws when the stream cannot be written to any more
   */
  send(data: Bytes): boolean
  /** @throws when the stream cannot be read any more */
  pause(): void
  /** @throws when the stream cannot be read any more */
  resume(): void
  /** Ends the write side once everything is sent. The read side stays open until the peer ends it. */
  close(options?: AbortOptions): Promise<void>
  /** Ends both sides at once and throws away what is not yet sent. */
  abort(error: Error): void

  addEventListener(type: 'message', listener: (event: { readonly data: Bytes }) => void): void
  addEventListener(type: 'close', listener: (event: StreamClosed) => void): void
  addEventListener(type: 'drain' | 'idle' | 'remoteCloseWrite', listener: () => void): void
  removeEventListener(type: 'message', listener: (event: { readonly data: Bytes }) => void): void
  removeEventListener(type: 'close', listener: (event: StreamClosed) => void): void
  removeEventListener(type: 'drain' | 'idle' | 'remoteCloseWrite', listener: () => void): void
}
