import type { PictureJob, PictureState, Route } from '@resultity/interface'
import type { PlaceableModel, RouteConstraints } from '@resultity/placement'

/** Pictures that differ in their noise alone. */
export interface PaintRequest extends Omit<PictureJob, 'picture' | 'from'> {
  readonly jobId: string
  readonly model: PlaceableModel
  readonly routing: RouteConstraints
  /** How many. */
  readonly pictures: number
  /** Those that are begun already, by their numbers: they go on from there. */
  readonly begun?: ReadonlyMap<number, PictureState>
  /** Those that are done already: nothing happens to them. */
  readonly done?: ReadonlySet<number>
}

/** What happens to the picture with the number `picture`, from 0. */
export type PaintEvent =
  /** A step is done: each is told once, in order, whatever nodes are lost. */
  | {
      readonly type: 'step'
      readonly picture: number
      readonly step: number
      readonly steps: number
      /** What {@link PaintRequest.begun} takes: of steps that follow each other fast, some come without. */
      readonly state?: PictureState | undefined
    }
  /** The picture behind a step, u8 `[height, width, 3]`; it comes before that step. */
  | { readonly type: 'preview'; readonly picture: number; readonly step: number; readonly rgb: Uint8Array }
  /** It is done, u8 `[height, width, 3]`. */
  | { readonly type: 'picture'; readonly picture: number; readonly rgb: Uint8Array; readonly route: Route }
