import type { RopeName } from './rotary.ts'

/** Names of the graph's inputs and outputs, shared by every layer range. */
export const names = {
  tokens: 'tokens',
  hidden: 'hidden',
  shown: 'shown',
  lastPosition: 'last_position',
  totalPositions: 'total_positions',
  cos: (rope: RopeName) => (rope === 'model' ? 'rotary_cos' : `rotary_cos_${rope}`),
  sin: (rope: RopeName) => (rope === 'model' ? 'rotary_sin' : `rotary_sin_${rope}`),
  groupHeads: 'group_heads',
  position: 'position',
  end: 'end',
  transposedEnd: 'transposed_end',
  closedShape: 'closed_shape',
  closed: 'closed',
  pastKey: (layer: number) => `past_key_${layer}`,
  pastValue: (layer: number) => `past_value_${layer}`,
  pastTransposed: (layer: number) => `past_transposed_value_${layer}`,
  presentKey: (layer: number) => `present_key_${layer}`,
  presentValue: (layer: number) => `present_value_${layer}`,
  presentTransposed: (layer: number) => `present_transposed_value_${layer}`,
  output: 'output'
} as const
