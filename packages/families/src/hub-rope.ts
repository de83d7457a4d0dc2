import type { RopeScaling } from '@resultity/interface'
import type { DecoderFields, RopeFields } from './hub-config.ts'
import { longropeMagnitude, yarnMagnitude } from './rope-magnitude.ts'
import { Unsupported } from './unsupported.ts'

/** As in transformers' `modeling_rope_utils.py`. */
const YARN_BETA_FAST = 32
const YARN_BETA_SLOW = 1

/** A number that the checks of a description refuse, naming the field. */
const MISSING = Number.NaN

type ContextFields = Pick<DecoderFields, 'max_position_embeddings' | 'original_max_position_embeddings'>

/** @throws Unsupported for a way that is not computed here */
export function ropeScalingOf(rope: RopeFields, context: ContextFields): RopeScaling {
  const type = rope.rope_type ?? rope.type ?? 'default'
  switch (type) {
    case 'default':
      return { type: 'none' }
    case 'linear':
      return { type, factor: rope.factor ?? MISSING }
    case 'llama3':
      return {
        type,
        factor: rope.factor ?? MISSING,
        lowFrequencyFactor: rope.low_freq_factor ?? MISSING,
        highFrequencyFactor: rope.high_freq_factor ?? MISSING,
        originalContextLength: rope.original_max_position_embeddings ?? MISSING
      }
    case 'yarn':
      return yarn(rope, context)
    case 'longrope':
    case 'su':
      return longrope(rope, context)
    default:
      throw new Unsupported(`the rotary embedding scaling "${type}"`)
  }
}

function yarn(rope: RopeFields, context: ContextFields): RopeScaling {
  const { factor, mscale, mscale_all_dim } = rope
  if (rope.truncate === false) throw new Unsupported('a yarn scaling without whole bounds ("truncate": false)')
  if (mscale != null || mscale_all_dim != null) throw new Unsupported('a yarn scaling with "mscale"')
  return {
    type: 'yarn',
    factor: factor ?? MISSING,
    betaFast: rope.beta_fast ?? YARN_BETA_FAST,
    betaSlow: rope.beta_slow ?? YARN_BETA_SLOW,
    originalContextLength: rope.original_max_position_embeddings ?? context.max_position_embeddings,
    magnitude: rope.attention_factor ?? yarnMagnitude(factor ?? MISSING)
  }
}

function longrope(rope: RopeFields, context: ContextFields): RopeScaling {
  const contextLength = context.max_position_embeddings
  const originalContextLength =
    rope.original_max_position_embeddings ?? context.original_max_position_embeddings ?? contextLength
  return {
    type: 'longrope',
    short: rope.short_factor ?? [],
    long: rope.long_factor ?? [],
    originalContextLength,
    magnitude: rope.attention_factor ?? longropeMagnitude(contextLength, originalContextLength)
  }
}
