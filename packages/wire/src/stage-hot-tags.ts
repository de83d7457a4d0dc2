/** Tags of the frames sent once for every token, as `stage.proto` numbers them. */

export const BODY_ACTIVATIONS = 0x2a // StageFrame.activations = 5, length-delimited
export const BODY_NEXT = 0x32 // StageFrame.next = 6
export const BODY_SAMPLED = 0x3a // StageFrame.sampled = 7
export const SESSION = 0x0a // field 1 of each, length-delimited
export const EPOCH = 0x10 // field 2, varint
export const POSITION = 0x18 // field 3, varint
export const COUNT_OR_TOKEN = 0x20 // field 4, varint
export const FINISH = 0x28 // field 5, varint
export const LOGPROB = 0x35 // field 6, 32 bit
export const HIDDEN = 0x7a // field 15, length-delimited
