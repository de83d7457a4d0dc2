import type { LayerTraits } from '@resultity/interface'
import { layerTraits } from './traits.ts'
import { Unsupported } from './unsupported.ts'

/** What newer versions of transformers list for each layer. */
const SLIDING = 'sliding_attention'
const FULL = 'full_attention'

export interface SlidingLayersInit {
  readonly layerCount: number
  /** Positions that a sliding layer attends to; null or absent: all. */
  readonly window: number | null | undefined
  /** `layer_types` of the configuration. */
  readonly types?: readonly string[] | null | undefined
  /** Which layers slide where no types are listed. */
  slides(layer: number): boolean
  /** What sliding layers have besides. */
  readonly others?: LayerTraits
}

/** Traits of the layers of a model of which some attend to a window. */
export function slidingLayers(init: SlidingLayersInit): LayerTraits[] | undefined {
  const { layerCount, window, types, slides, others } = init
  const odd = types?.find(type => type !== SLIDING && type !== FULL)
  if (odd !== undefined) throw new Unsupported(`a layer of the type "${odd}"`)
  return layerTraits(layerCount, layer => {
    const sliding = types == null ? slides(layer) : types[layer] === SLIDING
    if (!sliding) return {}
    return { ...(window == null ? {} : { window }), ...others }
  })
}
