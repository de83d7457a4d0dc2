import type { resultity } from '#gen'
import { bytes } from './field-checks.ts'
import { violation } from './frame-codec.ts'
import type { OpenSession, PromptPrefix } from './stage-messages.ts'

type WireOpen = resultity.stage.v1.OpenSession.$Properties

/** Bytes of a block's name. */
const NAME_BYTES = 16

/** Blocks of one prompt that have names, at the most: with those of 64 positions, half a million positions. */
export const PREFIX_BLOCKS_MAX = 8192

/** The fields that say it; none where nothing is kept. */
export function prefixToWire(prefix: PromptPrefix | undefined): Pick<WireOpen, 'prefix' | 'prefixAfresh'> {
  if (prefix === undefined) return {}
  return { prefix: Buffer.from(prefix.blocks.join(''), 'hex'), prefixAfresh: prefix.afresh }
}

export function prefixFromWire({ prefix, prefixAfresh }: WireOpen): Pick<OpenSession, 'prefix'> {
  const names = bytes(prefix, 'open.prefix', NAME_BYTES * PREFIX_BLOCKS_MAX)
  if (names.length === 0) return {}
  if (names.length % NAME_BYTES !== 0)
    throw violation(`open.prefix has ${names.length} bytes, no names of ${NAME_BYTES}`)
  const text = Buffer.from(names.buffer, names.byteOffset, names.byteLength)
  const blocks = Array.from({ length: names.length / NAME_BYTES }, (_, index) =>
    text.toString('hex', index * NAME_BYTES, (index + 1) * NAME_BYTES)
  )
  return { prefix: { blocks, afresh: prefixAfresh === true } }
}
