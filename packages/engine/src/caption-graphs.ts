import type { AbortOptions } from '@resultity/interface'
import type { TextSubject } from './text-state.ts'

/** What a run of the sight graph reads. */
export interface Look {
  /** f32 `[3, imageSize, imageSize]`. */
  readonly pixels: Float32Array
  /** Token ids; undefined where the model takes none. */
  readonly question: readonly number[] | undefined
}

/** The two graphs of a model that says what pictures show, in some runtime: what an engine adds to `WholeCaptioner`. */
export interface CaptionGraphs extends AsyncDisposable {
  look(look: Look, options: AbortOptions): Promise<TextSubject>
}
