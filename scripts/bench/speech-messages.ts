import type { Heard, ListenerInit } from './listener.ts'

export interface SpeechChildInit extends ListenerInit {
  /** Imported models are kept here. */
  readonly dataDir: string
}

/** What the parent asks of the process that hears. */
export interface SpeechChildRequest {
  readonly words: boolean
}

export type SpeechChildReply =
  | { readonly type: 'ready' }
  | { readonly type: 'heard'; readonly heard: Heard }
  | { readonly type: 'failed'; readonly message: string }
