// What: replaces a method of libp2p's decoder of lengths, for the whole process.
// Measured: 9.5 % of what the main threads of coordinator and nodes did; docs/engine.md, "On the way of every token".
// Upstream: a check for an empty buffer in @libp2p/utils; the same cost was found in mplex's decoder,
// https://github.com/ChainSafe/lodestar/issues/3467

import { LengthPrefixedDecoder } from '@libp2p/utils'

type Decode = LengthPrefixedDecoder['decode']

/**
 * Lets libp2p's length decoder stop once it has handed out all received messages.
 *
 * noise reads every message with it. After the last one the decoder would still ask for the next length, and an
 * exception, whose stack is recorded, would tell it that there is none. That is a tenth of the cost of a frame, on a
 * core that the run just started needs. The decoded bytes stay the same.
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
