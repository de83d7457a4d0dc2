import type { Bytes, StreamClosed } from '@resultity/wire'

/** What each event of a stream is called with. */
export interface StreamEvents {
  message: [event: { readonly data: Bytes }]
  close: [event: StreamClosed]
  drain: []
  idle: []
  remoteCloseWrite: []
}

export type StreamListener = (...event: never[]) => void

/** Listeners of one stream, called in the order they came. */
export class StreamListeners {
  readonly #listeners = new Map<keyof StreamEvents, Set<StreamListener>>()

  has(type: keyof StreamEvents): boolean {
    return (this.#listeners.get(type)?.size ?? 0) > 0
  }

  add(type: keyof StreamEvents, listener: StreamListener): void {
    const listeners = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, listeners.add(listener))
  }

  delete(type: keyof StreamEvents, listener: StreamListener): void {
    this.#listeners.get(type)?.delete(listener)
  }

  dispatch<Type extends keyof StreamEvents>(type: Type, ...event: StreamEvents[Type]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(...(event as never[]))
  }
}
