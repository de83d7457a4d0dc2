import { pictureInvalid } from './picture-invalid.ts'

/** Formats that are read. */
export type PictureFormat = 'png' | 'jpeg' | 'webp' | 'gif'

/** What stands at a place of a file, as Latin-1. */
type Mark = readonly [at: number, text: string]

const formats: readonly (readonly [PictureFormat, ...Mark[]])[] = [
  ['png', [0, '\x89PNG\r\n\x1a\n']],
  ['jpeg', [0, '\xff\xd8\xff']],
  ['webp', [0, 'RIFF'], [8, 'WEBP']],
  ['gif', [0, 'GIF87a']],
  ['gif', [0, 'GIF89a']]
]

/** Formats that are known and not read: their readers are large, run code, or fetch what a file names. */
const refused: readonly (readonly [name: string, ...Mark[]])[] = [
  ['AVIF', [4, 'ftypavif']],
  ['AVIF', [4, 'ftypavis']],
  ...['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'mif1', 'msf1'].map(
    brand => ['HEIC', [4, `ftyp${brand}`]] as const
  ),
  ['a video (MP4)', [4, 'ftyp']],
  ['a video (WebM)', [0, '\x1a\x45\xdf\xa3']],
  ['TIFF', [0, 'II*\0']],
  ['TIFF', [0, 'MM\0*']],
  ['TIFF', [0, 'II+\0']],
  ['TIFF', [0, 'MM\0+']],
  ['BMP', [0, 'BM'], [6, '\0\0\0\0']],
  ['an icon (ICO)', [0, '\0\0\x01\0']],
  ['JPEG XL', [0, '\xff\x0a']],
  ['JPEG XL', [0, '\0\0\0\x0cJXL ']],
  ['JPEG 2000', [0, '\0\0\0\x0cjP  ']],
  ['JPEG 2000', [0, '\xff\x4f\xff\x51']],
  ['PSD', [0, '8BPS']],
  ['PDF', [0, '%PDF-']],
  ['PostScript', [0, '%!PS']],
  ['an archive', [0, 'PK\x03\x04']],
  ['an archive', [0, '\x1f\x8b']]
]

/** Texts, by what stands before their first element. */
const texts: readonly (readonly [name: string, RegExp])[] = [
  ['SVG', /^\s*(?:<[?!].*)?<(?:\w+:)?svg\b/is],
  ['a page (HTML)', /^\s*<(?:!DOCTYPE\s+html|html)\b/i]
]

/** Bytes that formats are told by; of SVG, what stands before its first element. */
const HEAD_BYTES = 1024

/** Of UTF-8, as Latin-1 has it. */
const BYTE_ORDER_MARK = '\xef\xbb\xbf'

/**
 * What a file is, by its bytes alone: neither its name nor the type that it is sent with is believed.
 *
 * @param param the field that it came in
 * @throws MeshError `invalid_request` with the fault `empty`, `unsupported` (naming the format) or `no_picture`
 */
export function sniffPicture(bytes: Uint8Array, param: string): PictureFormat {
  if (bytes.length === 0) throw pictureInvalid(param, 'empty', `${param} has no bytes`)
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES)).toString('latin1')
  const has = ([at, text]: Mark): boolean => head.startsWith(text, at)
  const format = formats.find(([, ...marks]) => marks.every(has))?.[0]
  if (format !== undefined) return format
  const text = head.replace(BYTE_ORDER_MARK, '')
  const known = refused.find(([, ...marks]) => marks.every(has)) ?? texts.find(([, pattern]) => pattern.test(text))
  if (known !== undefined) throw pictureInvalid(param, 'unsupported', `${param} is ${known[0]}, which is not read here`)
  throw pictureInvalid(param, 'no_picture', `${param} is no picture: its bytes begin as those of no known format`)
}

const PNG_HEAD_BYTES = 8
const CHUNK_FRAME_BYTES = 12
const ANIMATION_CHUNK = Buffer.from('acTL').readUInt32BE()
const PIXELS_CHUNK = Buffer.from('IDAT').readUInt32BE()

/** Whether a PNG has several pictures: it says so before the first one. */
export function isAnimatedPng(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = PNG_HEAD_BYTES; at + CHUNK_FRAME_BYTES <= view.byteLength; ) {
    // as a number: of a file with millions of empty chunks, texts would keep the event loop for most of a second
    const type = view.getUint32(at + 4)
    if (type === ANIMATION_CHUNK) return true
    if (type === PIXELS_CHUNK) return false
    at += CHUNK_FRAME_BYTES + view.getUint32(at)
  }
  return false
}
