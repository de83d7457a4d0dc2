import type { LayerRange } from '@resultity/interface'

/** A layer range that a coordinator asks this node to serve. */
export interface Assignment {
  readonly placementId: string
  readonly manifestSha256: string
  readonly range: LayerRange
  /** Positions of one session's KV slot. */
  readonly contextLength: number
  /** KV slots; jobs at once, of an encoder. */
  readonly sessionsMax: number
}

/** - `fetching` weights are on their way · `building` the runtime loads them · `testing` it is measured · `ready` it is loaded */
export type StageProgress = 'fetching' | 'building' | 'testing' | 'ready'
