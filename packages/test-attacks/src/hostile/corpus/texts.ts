import fc from 'fast-check'
import type { Scale } from './scale.ts'

/** What one letter can cost: each is repeated to the length of a whole text. */
const REPEATED = [
  'a',
  ' ',
  '\n',
  '\r\n',
  '\t',
  '\u0000',
  '\u001b[2J',
  // letters that a normalisation makes longer, and marks that pile up on one letter
  '\ufdfa',
  '\u0301',
  'e\u0301',
  '\u1e9b\u0323',
  // half a character, a whole one of two halves, a family of seven
  '\ud800',
  '\udfff',
  '\u{1f600}',
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}\u200d\u{1f466}',
  // written from right to left, without any width, and the byte order mark
  '\u202e',
  '\u200b',
  '\ufeff',
  '漢',
  'İ',
  'ß',
  '"',
  '\\',
  '\\"',
  '{{',
  '{% for a in b %}',
  '<|end|>',
  '<|user|>\n',
  '<tool_call>\n',
  '</tool_call>',
  '<s>',
  'data: [DONE]\n\n',
  '9',
  'ab'
]

/** Strings of UTF-16 units, halves of characters among them. */
const units = (max: number): fc.Arbitrary<string> =>
  fc.array(fc.nat(0xffff), { maxLength: Math.min(max, 400) }).map(codes => String.fromCharCode(...codes))

/** One thing again and again, which is what tokenizers and scanners like least. */
function runs(max: number): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...REPEATED), fc.oneof(fc.constant(max), fc.nat(max)))
    .map(([unit, length]) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length))
}

/** Words without an end to them, and lines without words. */
function prose(max: number): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom('the river ran past an old mill. ', 'x '.repeat(16), 'a\n', '\u00e9\u0301 '), fc.nat(max))
    .map(([piece, length]) => piece.repeat(Math.ceil(length / piece.length)).slice(0, length))
}

/** A text that a client might use to do harm. */
export function hostileText({ characters }: Scale): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: runs(characters) },
    { weight: 2, arbitrary: prose(characters) },
    { weight: 2, arbitrary: units(characters) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
    { weight: 1, arbitrary: fc.constantFrom('', ' ', '\n'.repeat(Math.min(characters, 100_000)), '__proto__') }
  )
}

/** A name of a field, a property or a function. */
export function hostileName(scale: Scale): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      '',
      ' ',
      'a',
      '$ref',
      'length',
      '0',
      '-1'
    ),
    fc.string({ maxLength: 12 }),
    hostileText({ ...scale, characters: Math.min(scale.characters, 9_000) })
  )
}
