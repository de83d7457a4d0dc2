import type { SightConfig } from '@resultity/interface'
import type { Operand } from '../import/blip-source.ts'

/** What looks at pictures before a decoder reads them, as it is published, with checked shapes and one naming. */
export interface SightSource extends Disposable {
  readonly config: SightConfig
  readonly ends: readonly Operand[]
  readonly layers: readonly (readonly Operand[])[]
}
