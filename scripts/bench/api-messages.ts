export interface ApiServerInit {
  readonly dataDir: string
  /** As the coordinator's `--store`. */
  readonly store: string
  readonly eventIntervalMs: number
  /** An answer of exactly so many tokens is paced; all others are made at once. */
  readonly eventsPerStream: number
}

export type ApiServerReply =
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'memory'; readonly rssBytes: number }
  | { readonly type: 'failed'; readonly message: string }
