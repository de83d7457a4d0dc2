import { audioInvalid } from '../audio-invalid.ts'

interface Box {
  readonly type: string
  readonly start: number
  readonly end: number
}

/**
 * What kind of sound an MP4 or QuickTime file has. It is not decoded here: nearly all have AAC, and the decoders of that
 * are under the GPL.
 * @returns the type of its samples, four characters as the file has them
 * @throws MeshError `invalid_request`: `no_audio_track`, `truncated`, `damaged`
 */
export function mp4SampleType(bytes: Uint8Array): string {
  const boxes = [...boxesOf(bytes, 0, bytes.length)]
  const end = boxes.at(-1)?.end ?? 0
  if (end > bytes.length) {
    throw audioInvalid('truncated', `the mp4 file says it has ${end} bytes, and has ${bytes.length}`)
  }
  const movie = boxes.find(({ type }) => type === 'moov')
  if (movie === undefined) throw audioInvalid('damaged', 'the mp4 file does not say what is in it')
  const tracks = within(bytes, [movie], 'trak', 'mdia')
  const track = tracks.find(media =>
    within(bytes, [media], 'hdlr').some(({ start }) => textAt(bytes, start + 8) === 'soun')
  )
  if (track === undefined) throw audioInvalid('no_audio_track', 'the mp4 file has no audio track')
  const [samples] = within(bytes, [track], 'minf', 'stbl', 'stsd')
  if (samples === undefined) throw audioInvalid('damaged', 'the mp4 file does not say what its audio is')
  return textAt(bytes, samples.start + 12)
}

function within(bytes: Uint8Array, boxes: readonly Box[], ...types: readonly string[]): Box[] {
  return types.reduce<Box[]>(
    (inner, type) =>
      inner.flatMap(({ start, end }) => [...boxesOf(bytes, start, end)].filter(box => box.type === type)),
    [...boxes]
  )
}

/** The boxes from `start` to `end` (ISO 14496-12, 4.2). The last one may claim to end behind `end`. */
function* boxesOf(bytes: Uint8Array, start: number, end: number): Generator<Box> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = start; at + 8 <= Math.min(end, bytes.length); ) {
    const short = view.getUint32(at)
    const long = short === 1 && at + 16 <= bytes.length
    const size = long ? Number(view.getBigUint64(at + 8)) : short
    // 0 lasts to the end of the file
    if (size !== 0 && size < 8) return
    const boxEnd = size === 0 ? end : at + size
    yield { type: textAt(bytes, at + 4), start: at + (long ? 16 : 8), end: boxEnd }
    at = boxEnd
  }
}

function textAt(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.subarray(at, at + 4)).toString('latin1')
}
