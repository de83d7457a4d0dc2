import { byteOfLetter } from './byte-level-alphabet.ts'
import { type Step, tokenizerInvalid } from './tokenizer-definition.ts'

/** How the tokens of a vocabulary spell bytes. */
export interface TokenSpelling {
  /** `byte-level`: one character of GPT-2's alphabet a byte. `text`: the token's text, with `<0xHH>` for a byte. */
  readonly kind: 'byte-level' | 'text'
  /** Stands for a space in `text` spelling. */
  readonly space: string
  readonly byteFallback: boolean
  /** Spaces to take from the start of a decoded text: SentencePiece puts one before the first word. */
  readonly leadingSpaces: number
}

/** Turns generated tokens into text as they come. */
export interface TokenDecoder {
  /** The text that is certain after `token`: never half a character, never a special token's name. */
  push(token: number): string
  /** What was held back; an unfinished character becomes U+FFFD. The decoder starts anew after it. */
  flush(): string
}

/** How the byte `<0x0A>` is written in a vocabulary with byte fallback. */
const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/

/**
 * Reads the spelling from the `decoder` of a `tokenizer.json`.
 *
 * @throws MeshError `model_invalid` for a decoder step that is not known
 */
export function tokenSpelling(decoder: Step | null): TokenSpelling {
  if (decoder === null) throw tokenizerInvalid('tokenizer.json names no decoder, so its tokens cannot be made text')
  let spelling: TokenSpelling = { kind: 'text', space: '', byteFallback: false, leadingSpaces: 0 }
  for (const step of decoder.type === 'Sequence' ? innerSteps(decoder) : [decoder]) {
    switch (step.type) {
      case 'ByteLevel':
        spelling = { ...spelling, kind: 'byte-level' }
        break
      case 'Replace':
        spelling = { ...spelling, space: replacedBySpace(step) }
        break
      case 'Metaspace': {
        const prefixed = step.prepend_scheme !== 'never' && step.add_prefix_space !== false
        spelling = { ...spelling, space: String(step.replacement ?? '\u2581'), leadingSpaces: prefixed ? 1 : 0 }
        break
      }
      case 'ByteFallback':
        spelling = { ...spelling, byteFallback: true }
        break
      case 'Strip':
        if (step.content !== ' ' || step.stop !== 0) throw unsupported(step)
        spelling = { ...spelling, leadingSpaces: Number(step.start ?? 0) }
        break
      case 'Fuse':
        break
      default:
        throw unsupported(step)
    }
  }
  return spelling
}

function innerSteps(sequence: Step): Step[] {
  const steps = sequence.decoders
  if (!Array.isArray(steps)) throw tokenizerInvalid('tokenizer.json: a decoder Sequence lists no steps')
  return steps
}

function replacedBySpace(step: Step): string {
  const pattern = step.pattern
  const isText = typeof pattern === 'object' && pattern !== null && 'String' in pattern
  if (step.content !== ' ' || !isText || typeof pattern.String !== 'string') throw unsupported(step)
  return pattern.String
}

function unsupported(step: Step): Error {
  return tokenizerInvalid(`tokenizer.json: decoder step ${JSON.stringify(step).slice(0, 200)} is not supported`)
}

/** The UTF-8 bytes that a token adds to a text. `added` tokens are spelled as they are. */
export function tokenBytes(token: string, added: boolean, spelling: TokenSpelling): Uint8Array {
  if (!added && spelling.kind === 'byte-level') return byteLevelBytes(token)
  if (spelling.byteFallback) {
    const byte = BYTE_TOKEN.exec(token)?.[1]
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16))
  }
  const text = spelling.space === '' ? token : token.replaceAll(spelling.space, ' ')
  return utf8.encode(text)
}

const utf8 = new TextEncoder()

function byteLevelBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length)
  for (let index = 0; index < token.length; index++) {
    const byte = byteOfLetter.get(token.charAt(index))
    // as the reference does: a token with a character outside the alphabet is taken literally
    if (byte === undefined) return utf8.encode(token)
    bytes[index] = byte
  }
  return bytes
}

/**
 * Joins tokens' bytes to text. Built on the platform's streaming UTF-8 decoder, which holds back an unfinished
 * character; so any split of the tokens gives the same text.
 *
 * @param bytesOf the bytes of a token, or undefined for one that is not shown
 */
export function createTokenDecoder(
  bytesOf: (token: number) => Uint8Array | undefined,
  leadingSpaces: number
): TokenDecoder {
  // a byte order mark is a character like any other here
  let decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let spacesToStrip = leadingSpaces
  const strip = (text: string): string => {
    let start = 0
    while (spacesToStrip > 0 && start < text.length) {
      if (text[start] !== ' ') spacesToStrip = 0
      else {
        spacesToStrip--
        start++
      }
    }
    return start === 0 ? text : text.slice(start)
  }
  return {
    push(token) {
      const bytes = bytesOf(token)
      return bytes === undefined ? '' : strip(decoder.decode(bytes, { stream: true }))
    },
    flush() {
      const text = strip(decoder.decode())
      decoder = new TextDecoder('utf-8', { ignoreBOM: true })
      spacesToStrip = leadingSpaces
      return text
    }
  }
}
