import type { z } from 'zod'
import type { DecoderTraits, RopeScaling } from './decoder-traits.ts'

interface CheckedDecoder {
  readonly layerCount: number
  readonly headDim: number
  readonly ropeScaling: RopeScaling
  readonly traits?: DecoderTraits | undefined
}

/** The runtime's attention rotates heads in vectors of so many numbers. */
const HEAD_DIM_UNIT = 16

/** Refuses sizes that cannot be computed, and traits that do not fit the sizes of the model, or each other. */
export function checkDecoderTraits(config: CheckedDecoder, context: z.RefinementCtx): void {
  const { traits = {}, layerCount, headDim } = config
  const { rotaryDim = headDim, layers, localRope, experts } = traits
  const refuse = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message })
  const dimensions = [
    [['headDim'], 'heads', headDim],
    [['traits', 'rotaryDim'], 'rotated parts of heads', traits.rotaryDim ?? HEAD_DIM_UNIT]
  ] as const
  for (const [path, what, size] of dimensions) {
    if (size % HEAD_DIM_UNIT === 0) continue
    const unit = `the size must be a multiple of ${HEAD_DIM_UNIT}, as 64 and 128 are, which most models have`
    refuse([...path], `${what} of ${size} dimensions are not supported, ${unit}`)
  }
  if (rotaryDim > headDim) {
    refuse(['traits', 'rotaryDim'], `heads of ${headDim} dimensions cannot be rotated by that many`)
  }
  if (layers !== undefined && layers.length !== layerCount) {
    refuse(['traits', 'layers'], `there are traits of ${layers.length} layers, and ${layerCount} layers`)
  }
  if (localRope === undefined && layers?.some(({ rope }) => rope === 'local') === true) {
    refuse(['traits', 'localRope'], 'layers name it, and it is not there')
  }
  if (experts !== undefined && experts.used > experts.count) {
    refuse(['traits', 'experts', 'used'], `${experts.used} of ${experts.count} experts cannot be taken`)
  }
  if (experts === undefined && layers?.some(({ feedForward }) => feedForward === 'dense') === true) {
    refuse(['traits', 'experts'], 'layers have none in place of those, and they are not there')
  }
  const ropes = { ropeScaling: config.ropeScaling, localRope: localRope?.scaling }
  for (const [name, scaling] of Object.entries(ropes)) {
    if (scaling?.type !== 'longrope') continue
    const lengths = [scaling.short.length, scaling.long.length]
    if (lengths.every(length => length === rotaryDim / 2)) continue
    refuse([name], `has factors of ${lengths.join(' and ')} frequencies, and ${rotaryDim} dimensions are rotated`)
  }
}
