import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { readLines } from '../src/batches/line-reader.ts'

async function read(bytes: Uint8Array, chunkBytes: number, lineBytesMax = 10) {
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  }
  const lines = []
  for await (const line of readLines(chunks(), lineBytesMax)) lines.push(line)
  return lines
}

const cases = [
  { id: 'nothing', text: '', lines: [] },
  { id: 'no end', text: 'ab', lines: [[1, 'ab']] },
  {
    id: 'blank lines count and are left out',
    text: '\n a\n \t\r\n\nb\n',
    lines: [
      [2, ' a'],
      [5, 'b']
    ]
  },
  {
    id: 'characters of several bytes',
    text: 'äöü€\n🎈🎈\n',
    lines: [
      [1, 'äöü€'],
      [2, '🎈🎈']
    ]
  },
  {
    id: 'the longest line allowed',
    text: '1234567890\n12345678901\n1\n',
    lines: [
      [1, '1234567890'],
      [2, undefined],
      [3, '1']
    ]
  },
  {
    id: 'a long line at the end',
    text: '1\n12345678901',
    lines: [
      [1, '1'],
      [2, undefined]
    ]
  },
  {
    id: 'a long blank line',
    text: `${' '.repeat(20)}\n1`,
    lines: [
      [1, undefined],
      [2, '1']
    ]
  }
] as const
for (const { id, text, lines } of cases) {
  t.test(`${id}, in pieces of every size`, async t => {
    const bytes = Buffer.from(text)
    for (let size = 1; size <= Math.max(1, bytes.length); size++) {
      t.same(
        (await read(bytes, size)).map(line => [line.number, line.text]),
        lines,
        `pieces of ${size}`
      )
    }
  })
}

t.test('what is not UTF-8 is a fault of its line alone', async t => {
  const bytes = Buffer.concat([Buffer.from('a\n'), Buffer.from([0xff, 0xfe]), Buffer.from('\nb')])
  t.same(await read(bytes, 2), [
    { number: 1, text: 'a', fault: undefined },
    { number: 2, text: undefined, fault: 'not-utf8' },
    { number: 3, text: 'b', fault: undefined }
  ])
})

t.test('lines are what a text splits into, whatever the pieces', async () => {
  const piece = fc.constantFrom('a', 'ä', '\n', ' ', '🎈', 'abcdef')
  await assertProperty(
    fc.asyncProperty(fc.array(piece), fc.integer({ min: 1, max: 9 }), async (parts, size) => {
      const text = parts.join('')
      const expected = text
        .split('\n')
        .map((line, index) => ({ number: index + 1, line }))
        .filter(({ line }) => line.trim() !== '' || Buffer.byteLength(line) > 10)
        .map(({ number, line }) => [number, Buffer.byteLength(line) > 10 ? undefined : line])
      const lines = await read(Buffer.from(text), size)
      return JSON.stringify(lines.map(line => [line.number, line.text])) === JSON.stringify(expected)
    })
  )
})
