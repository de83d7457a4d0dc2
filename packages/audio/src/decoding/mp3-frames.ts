/** A frame of an MPEG audio stream. */
export interface Mp3Frame {
  readonly start: number
  readonly end: number
  /** Samples a second. */
  readonly rate: number
}

/** Bytes that may lie before the first frame, such as what is left of a cut stream. */
const LEAD_BYTES_MAX = 64 * 1024

/** kbit/s by index, of MPEG 1 layers I to III and of MPEG 2 layer I, and layers II and III. */
const BIT_RATES: readonly (readonly number[])[] = [
  [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
]

const RATES = [44_100, 48_000, 32_000]

/** The first frame at or behind `from` that another one of its kind follows, or the end of the file. */
export function firstMp3Frame(bytes: Uint8Array, from: number): Mp3Frame | undefined {
  const last = Math.min(bytes.length - 4, from + LEAD_BYTES_MAX)
  for (let at = from; at <= last; at++) {
    const frame = frameAt(bytes, at)
    if (frame === undefined) continue
    const next = frameAt(bytes, frame.end)
    if (next?.rate === frame.rate || (next === undefined && frame.end === bytes.length)) return frame
  }
  return undefined
}

/**
 * The frames one after the other; what lies between them, such as tags, is left out.
 * @returns the first byte of a frame that the file ends within, if it does
 */
export function* mp3Frames(bytes: Uint8Array, from: number): Generator<Mp3Frame, number | undefined> {
  let frame = firstMp3Frame(bytes, from)
  while (frame !== undefined && frame.end <= bytes.length) {
    yield frame
    frame = frameAt(bytes, frame.end) ?? firstMp3Frame(bytes, frame.end + 1)
  }
  return frame?.start
}

/** Bytes of the first frame in which the table of Xing or LAME begins, behind the empty side information. */
const TABLE_BYTES_MAX = 64

/** How many frames follow, where the first frame is a table that says so. */
export function toldFrames(bytes: Uint8Array, { start, end }: Mp3Frame): number | undefined {
  const lead = Buffer.from(bytes.subarray(start, Math.min(end, start + TABLE_BYTES_MAX)))
  const at = Math.max(lead.indexOf('Xing'), lead.indexOf('Info'))
  // the lowest bit of what it has: a number of frames
  if (at < 0 || at + 12 > lead.length || (lead.readUInt32BE(at + 4) & 1) === 0) return undefined
  return lead.readUInt32BE(at + 8)
}

/** By the four bytes of its header (ISO 11172-3, 2.4.2.3; 13818-3; and MPEG 2.5 as its makers have it). */
function frameAt(bytes: Uint8Array, at: number): Mp3Frame | undefined {
  const second = bytes[at + 1] ?? 0
  const third = bytes[at + 2] ?? 0
  const version = (second >> 3) & 3
  const layer = 4 - ((second >> 1) & 3)
  if (bytes[at] !== 0xff || second < 0xe0 || version === 1 || layer === 4) return undefined
  const mpeg1 = version === 3
  const kilobits = BIT_RATES[mpeg1 ? layer - 1 : layer === 1 ? 3 : 4]?.[third >> 4] ?? 0
  const base = RATES[(third >> 2) & 3]
  if (kilobits === 0 || base === undefined) return undefined
  const rate = base / (mpeg1 ? 1 : version === 2 ? 2 : 4)
  const padding = (third >> 1) & 1
  if (layer === 1) return { start: at, end: at + (Math.floor((12_000 * kilobits) / rate) + padding) * 4, rate }
  const samples = layer === 3 && !mpeg1 ? 72_000 : 144_000
  return { start: at, end: at + Math.floor((samples * kilobits) / rate) + padding, rate }
}
