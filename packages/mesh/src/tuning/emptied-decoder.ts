// What: replaces a method of libp2p's decoder of lengths, for the whole process.
// Measured: 9.5 % of what the main threads of coordinator and nodes did; docs/engine.md, "On the way of every token".
// Upstream: a check for an empty buffer in @libp2p/utils; the same cost was found in mplex's decoder,
// https://github.com/ChainSafe/lodestar/issues/3467

import { LengthPrefixedDecoder } from '@libp2p/utils'

type Decode = LengthPrefixedDecoder['decode']

/**
 * Lets libp2p's decoder of lengths stop once it has handed out all that came.
 *
 * noise reads every message with it. After the last one it would ask for the next length all the same and learn from an
 * exception, whose stack is recorded, that there is none: a tenth of what a frame costs, on a core that the run it has
 * just started wants. What is decoded stays the same.
 */
export function stopDecodersOnceEmptied(): void {
  LengthPrefixedDecoder.prototype.decode = decodeUntilEmptied
}

const decodeAll = LengthPrefixedDecoder.prototype.decode

function* decodeUntilEmptied(this: LengthPrefixedDecoder, data: Parameters<Decode>[0]): ReturnType<Decode> {
  for (const message of decodeAll.call(this, data)) {
    yield message
    // it is private there; a release without it decodes as it always did
    const rest: unknown = Reflect.get(this, 'buffer')
    if (typeof rest === 'object' && rest !== null && 'byteLength' in rest && rest.byteLength === 0) return
  }
}
