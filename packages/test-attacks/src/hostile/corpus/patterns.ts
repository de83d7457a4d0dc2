import fc from 'fast-check'
import { type Scale, someOf } from './scale.ts'

/** Each level repeats the one before: what a derivative or a backtracker multiplies out. */
function nestedRepetitions({ depth }: Scale): fc.Arbitrary<string> {
  const repetition = fc.constantFrom(
    '{0,14}',
    '{0,14}',
    '{0,14}',
    '*',
    '+',
    '?',
    '{2,3}',
    '{1,}',
    '{0,100}',
    '{14}',
    '*?'
  )
  const levels = fc.array(repetition, { minLength: 1, maxLength: Math.min(depth, 12) })
  return fc
    .tuple(levels, fc.constantFrom('a', '[ab]', '(?:a|b)', '.', 'a?b?', '\\w'), fc.boolean())
    .map(([repetitions, core, anchored]) => {
      const inner = repetitions.reduce<string>((pattern, one) => `(?:${pattern})${one}`, core)
      return anchored ? `^${inner}$` : inner
    })
}

/** The n-th letter from the end: 2^n states of a machine that knows where it is. */
function manyStates({ width }: Scale): fc.Arbitrary<string> {
  return fc
    .tuple(someOf(Math.min(width, 60)), fc.constantFrom('[ab]', '.', '[^x]'))
    .map(([count, letter]) => `^${letter}*a${letter}{${count}}$`)
}

function alternations({ width, characters }: Scale): fc.Arbitrary<string> {
  return fc
    .tuple(someOf(width), someOf(Math.min(40, characters)), fc.boolean())
    .map(([count, length, shared]) =>
      Array.from({ length: count }, (_, index) =>
        shared ? `${'a'.repeat(length)}${index}` : `${index}${'b'.repeat(length)}`
      ).join('|')
    )
}

function classes({ width }: Scale): fc.Arbitrary<string> {
  const letter = (index: number): string => `\\u${(0x100 + index * 2).toString(16).padStart(4, '0')}`
  return fc.oneof(
    someOf(width).map(count => `^[${Array.from({ length: count }, (_, index) => letter(index)).join('')}]+$`),
    fc.constantFrom(
      '^[^\\u0000-\\uffff]*$',
      '^[\\u{10000}-\\u{10ffff}]{1,9}$',
      '^\\p{L}+$',
      '^[\\s\\S]*$',
      '^[^]*$',
      '^[]$',
      '^[z-a]$',
      '^[\\ud800-\\udfff]$',
      '^\\cA\\x00\\u0000$'
    )
  )
}

function counts({ width }: Scale): fc.Arbitrary<string> {
  const count = fc.oneof(someOf(width), fc.constantFrom(999, 65_535, 1_000_000, 2 ** 31, 2 ** 53, 1e20))
  return fc
    .tuple(count, count, fc.constantFrom('a', '[a-z]', '(?:ab?)', '.', '(a|b|c)'))
    .map(([first, second, core]) => `^${core}{${first},${second}}$`)
}

/** What the grammar does not hold to, what is no pattern at all, and groups to the bottom of a stack. */
function refused({ width }: Scale): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(
      '(?=a)b',
      '(?!a)*',
      '(?<=a)b',
      '(a)\\1',
      '(?<n>a)\\k<n>',
      '\\bword\\b',
      '(',
      ')',
      '[',
      'a{',
      'a**',
      '\\',
      '\\u{110000}',
      '(?<',
      '(?i:a)',
      '^*',
      '$^',
      '|||'
    ),
    someOf(width * 10).map(depth => `${'('.repeat(depth)}a${')'.repeat(depth)}`),
    someOf(width * 10).map(depth => `${'(?:a|'.repeat(depth)}b${')'.repeat(depth)}`),
    someOf(width * 10).map(length => '(?:'.repeat(length))
  )
}

/** A regular expression for a JSON Schema's `pattern`. */
export function hostilePattern(scale: Scale): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: nestedRepetitions(scale) },
    { weight: 2, arbitrary: manyStates(scale) },
    { weight: 2, arbitrary: alternations(scale) },
    { weight: 2, arbitrary: counts(scale) },
    { weight: 1, arbitrary: classes(scale) },
    { weight: 1, arbitrary: refused(scale) },
    { weight: 1, arbitrary: fc.string({ maxLength: 40 }) }
  )
}
