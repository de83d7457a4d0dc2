import { deflateSync } from 'node:zlib'
import type { TokenBytes } from './speech-units.ts'

/** Text of the tokens that write some; an unfinished character is U+FFFD. */
export function textOf(tokens: readonly number[], bytesOf: TokenBytes): string {
  const parts = tokens.map(token => bytesOf(token) ?? new Uint8Array())
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(parts))
}

/**
 * How well a text can be compressed: bytes in UTF-8 to bytes by zlib. Above 2.4, Whisper most likely repeats itself. Builds of
 * zlib differ by some bytes.
 */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text, 'utf8')
  return bytes.length / deflateSync(bytes).length
}
