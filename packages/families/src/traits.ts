import type { DecoderTraits, LayerTraits, ModelConfig } from '@resultity/interface'

/**
 * The configuration with those traits that are there; without any it is that of a Llama. A window as long as the context
 * is none.
 */
export function withTraits(config: ModelConfig, traits: DecoderTraits): ModelConfig {
  const layers = traits.layers?.map(({ window, ...others }): LayerTraits => {
    return window === undefined || window >= config.contextLength ? others : { window, ...others }
  })
  const some = layers?.some(layer => Object.keys(layer).length > 0) === true
  const present = Object.entries({ ...traits, layers: some ? layers : undefined }).filter(
    ([, value]) => value !== undefined
  )
  return present.length === 0 ? config : { ...config, traits: Object.fromEntries(present) }
}

/** The `layers` trait, from what each layer has; undefined where no layer has anything of its own. */
export function layerTraits(layerCount: number, traitsOf: (layer: number) => LayerTraits): LayerTraits[] | undefined {
  // a count that is no size is refused with the rest of the configuration
  if (!Number.isSafeInteger(layerCount) || layerCount < 1 || layerCount > LAYERS_LISTED_MAX) return undefined
  const layers = Array.from({ length: layerCount }, (_, layer) => traitsOf(layer))
  return layers.some(layer => Object.keys(layer).length > 0) ? layers : undefined
}

const LAYERS_LISTED_MAX = 1024
