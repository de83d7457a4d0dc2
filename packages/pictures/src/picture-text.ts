import { crc32 } from 'node:zlib'

/** What a PNG file's text is called here. */
const KEYWORD = 'resultity'

/** The head of a PNG, with its first chunk: what follows may be anything. */
const IHDR_END = 33

/** A PNG with a text in it, which tells how it was made: an `iTXt` chunk behind its head. */
export function withPngText(png: Uint8Array, text: string): Uint8Array<ArrayBuffer> {
  // keyword, not compressed, no language, no translated keyword
  const data = Buffer.from(`${KEYWORD}\0\0\0\0\0${text}`, 'utf8')
  const chunk = Buffer.alloc(12 + data.length)
  chunk.writeUInt32BE(data.length, 0)
  chunk.write('iTXt', 4, 'latin1')
  data.copy(chunk, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length)
  return new Uint8Array(Buffer.concat([png.subarray(0, IHDR_END), chunk, png.subarray(IHDR_END)]))
}

/** As EXIF has it, which knows no more than ASCII: JSON's own escapes for the rest. */
export function toAsciiJson(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
