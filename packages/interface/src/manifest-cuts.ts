import { sectionRanges } from './diffusion-manifest.ts'
import { isDiffusion, isServedWhole, type ModelManifest } from './manifest.ts'

/**
 * The layers at which a model may be cut: those that a stage may begin with, 0 left out. Undefined for one that may be cut anywhere.
 */
export function cutsOf(manifest: ModelManifest): readonly number[] | undefined {
  if (isDiffusion(manifest)) {
    // its text encoder, its prior and its denoiser work on one embedding, on one node
    if (manifest.config.prior !== undefined) return []
    const { denoiser, coder } = sectionRanges(manifest)
    return [denoiser.first, coder.first]
  }
  return isServedWhole(manifest) ? [] : undefined
}

/** Into how many stages a model may be cut, at the most. */
export function stagesMaxOf(manifest: ModelManifest): number {
  const cuts = cutsOf(manifest)
  return cuts === undefined ? manifest.layers.length : cuts.length + 1
}
