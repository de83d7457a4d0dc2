import type { Sample, Workload } from './contestant.ts'

/** What the parent asks of a measured child process. */
export type ChildRequest =
  | { readonly type: 'measure'; readonly workload: Workload }
  /** Decode speed with so many positions in the cache, in turns. */
  | {
      readonly type: 'decode-at'
      readonly positions: readonly number[]
      readonly decodeTokens: number
      readonly rounds: number
    }

export type ChildReply =
  | { readonly type: 'ready'; readonly weightBytes: number }
  | { readonly type: 'sample'; readonly sample: Sample }
  /** Tokens per second, the medians, of each position asked for. */
  | { readonly type: 'decodes'; readonly decodes: readonly number[] }
  | { readonly type: 'failed'; readonly message: string }

/** How the engine is run alone in one process. */
export interface ChildInit {
  readonly reference: string
  readonly dataDir: string
  readonly spinning: boolean | 'run'
  readonly threads: number
  readonly contextLength: number
}
