/** How a wave file writes a sample. */
export interface SampleCoding {
  readonly name: string
  readonly bytes: number
  /** @returns from -1 to 1; floats may be anything */
  read(view: DataView, at: number): number
}

const INTEGER = 1
const FLOAT = 3
const A_LAW = 6
const MU_LAW = 7

const codings: Readonly<Record<number, readonly SampleCoding[]>> = {
  [INTEGER]: [
    { name: 'pcm_u8', bytes: 1, read: (view, at) => (view.getUint8(at) - 128) / 128 },
    { name: 'pcm_s16le', bytes: 2, read: (view, at) => view.getInt16(at, true) / 32_768 },
    {
      name: 'pcm_s24le',
      bytes: 3,
      read: (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65_536) / 2 ** 23
    },
    { name: 'pcm_s32le', bytes: 4, read: (view, at) => view.getInt32(at, true) / 2 ** 31 }
  ],
  [FLOAT]: [
    { name: 'pcm_f32le', bytes: 4, read: (view, at) => view.getFloat32(at, true) },
    { name: 'pcm_f64le', bytes: 8, read: (view, at) => view.getFloat64(at, true) }
  ],
  [A_LAW]: [{ name: 'pcm_alaw', bytes: 1, read: (view, at) => aLaw(view.getUint8(at)) }],
  [MU_LAW]: [{ name: 'pcm_mulaw', bytes: 1, read: (view, at) => muLaw(view.getUint8(at)) }]
}

/** @param tag the format's number in a wave file */
export function sampleCodingOf(tag: number, bytes: number): SampleCoding | undefined {
  return codings[tag]?.find(coding => coding.bytes === bytes)
}

/** ITU-T G.711: sign, three bits of exponent, four of fraction; every other bit is turned. */
function aLaw(coded: number): number {
  const value = coded ^ 0x55
  const exponent = (value >> 4) & 7
  const fraction = ((value & 15) << 4) + 8
  const size = exponent === 0 ? fraction : (fraction + 256) << (exponent - 1)
  return ((value & 128) === 0 ? -size : size) / 32_768
}

/** ITU-T G.711: as A-law, with all bits turned and a bias of 132. */
function muLaw(coded: number): number {
  const value = coded ^ 0xff
  const size = ((((value & 15) << 3) + 132) << ((value >> 4) & 7)) - 132
  return ((value & 128) === 0 ? size : -size) / 32_768
}
