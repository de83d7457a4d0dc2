import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { formatTable } from '../src/output/table.ts'
import { dim, prose, text } from '../src/output/text.ts'
import { visible, visibleJson, visibleProse } from '../src/output/visible.ts'

/** What acts on a terminal or hides in it: written out once more, and not the product's own expression. */
function acts(code: number): boolean {
  const ranges = [
    ...[0x00, 0x1f, 0x7f, 0x9f, 0xad, 0xad, 0x61c, 0x61c, 0x180e, 0x180e, 0x200b, 0x200f, 0x2028, 0x202e],
    ...[
      0x2060, 0x2064, 0x2066, 0x206f, 0xfeff, 0xfeff, 0xfff9, 0xfffb, 0xd800, 0xdfff, 0xe0001, 0xe0001, 0xe0020, 0xe007f
    ]
  ]
  return ranges.some((start, index) => index % 2 === 0 && code >= start && code <= (ranges[index + 1] ?? 0))
}

const active = (shown: string): number[] => [...shown].map(one => one.codePointAt(0) ?? 0).filter(acts)
const anything = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map(unit => String.fromCharCode(unit)),
  maxLength: 40
})
const runs = { numRuns: 3000 }

t.test('nothing that acts on a terminal is left in a line', async t => {
  for (let code = 0; code <= 0x10ffff; code += code < 0x3000 || code > 0xdf00 ? 1 : 97) {
    if (code > 0xffff && code < 0xe0000) continue
    const shown = visible(String.fromCodePoint(code))
    if (acts(code) && (active(shown).length > 0 || shown === '')) t.fail(`U+${code.toString(16)} is left`)
  }
  assertProperty(
    fc.property(anything, line => active(visible(line)).length === 0),
    runs
  )
  t.equal(visible('\x1b]0;owned\x07\r\n\x7f\x9b31m'), '␛]0;owned␇␍␊␡<U+009B>31m')
  t.equal(visible('a\u202eb\u200bc\ud800'), 'a<U+202E>b<U+200B>c<U+D800>')
  t.equal(visible('Ça va? 你好 😀 العربية'), 'Ça va? 你好 😀 العربية', 'and what people write stays')
})

t.test('an answer keeps its lines, tabs and joined characters, and nothing else of these', async t => {
  t.equal(visibleProse('a\tb\r\nc\n👩‍👩‍👧 می‌خواهم\x1b[2J\r!'), 'a\tb\nc\n👩‍👩‍👧 می‌خواهم␛[2J␍!')
  const kept = new Set([0x09, 0x0a, 0x200c, 0x200d])
  assertProperty(
    fc.property(anything, answer => active(visibleProse(answer)).every(code => kept.has(code))),
    runs
  )
})

t.test('JSON is the same value, written so that a terminal shows it', async t => {
  const check = (value: unknown): boolean => {
    const json = visibleJson(value)
    return active(json).length === 0 && JSON.stringify(JSON.parse(json)) === JSON.stringify(value)
  }
  assertProperty(
    fc.property(anything, anything, (name, value) => check({ [name]: [value, { inner: value }] })),
    runs
  )
  t.equal(visibleJson('\x9b\u202e\x7f'), '"\\u009b\\u202e\\u007f"')
})

t.test('what is put into a template is on one line, whoever wrote it', async t => {
  t.equal(String(text`a\n${'b\nc'} ${1} ${text`d\n`}`), 'a\nb␊c 1 d\n')
  t.equal(String(text`${dim('\x1b[8m')}`).includes('␛[8m'), true)
  t.equal(String(prose('a\nb\x1b')), 'a\nb␛')
})

t.test('a table is as wide as what is seen of it, and no cell pushes the others away', async t => {
  const rows = [
    ['\x1b[2J\x1b[31mred', 'x'],
    ['你好', 'x'],
    ['two\nlines', 'x'],
    ['y'.repeat(5000), 'x']
  ]
  const lines = String(formatTable(['name', 'value'], rows))
    .trimEnd()
    .split('\n')
  t.equal(lines.length, 5, 'a line for each row')
  t.equal(active(lines.join('')).length, 0)
  t.ok(lines.every(line => line.length < 120))
  t.match(lines[1], /␛\[2J␛\[31mred +x/)
  t.equal(lines[1]?.lastIndexOf('x'), lines[3]?.lastIndexOf('x'), 'columns stand below each other')
})
