import type { MeshError } from '@resultity/interface'
import type { Placement } from './placement.ts'

/** What a request gets: a placement to run on, a reason to wait, or an error that waiting does not cure. */
export type PlacementChoice =
  | { readonly type: 'ready'; readonly placement: Placement }
  | { readonly type: 'busy' }
  | { readonly type: 'loading' }
  | { readonly type: 'error'; readonly error: MeshError }
