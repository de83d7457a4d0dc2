import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { checkJsonShape } from '../src/json-shape.ts'

const check = (text: string): void => checkJsonShape(text, 'it', 'field')

function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth)
}

t.test('levels, parts and entries have a limit each, and what is inside a text counts as one', async t => {
  const refused: [name: string, text: string, message: RegExp][] = [
    ['levels', nested(65), /64 levels/],
    ['levels that never close', '{"a":'.repeat(100_000), /64 levels/],
    ['lists', `[${'[],'.repeat(140_000)}[]]`, /131072 texts/],
    ['texts', `[${'"",'.repeat(140_000)}""]`, /131072 texts/],
    ['members', `{${Array.from({ length: 140_000 }, (_, at) => `"${at}":1`).join()}}`, /131072 texts/],
    ['entries', `[${'1,'.repeat(2_100_000)}1]`, /2097152 entries/]
  ]
  for (const [name, text, message] of refused) {
    t.throws(() => check(text), { code: 'invalid_request', message, details: { param: 'field' } }, name)
  }
  const admitted = [
    nested(64),
    JSON.stringify({ a: '[['.repeat(1000), b: '\\"[['.repeat(1000), c: '"{"'.repeat(1000), d: '\\'.repeat(1001) }),
    '{"__proto__":{"constructor":{"prototype":{}}}}',
    `[${'1,'.repeat(1_000_000)}1]`
  ]
  for (const text of admitted) check(text)
})

t.test('no JSON of a usual shape is refused, whatever is in its texts', async () => {
  assertProperty(
    fc.property(fc.jsonValue({ maxDepth: 6 }), value => {
      const text = JSON.stringify(value)
      check(text)
    }),
    { numRuns: 500 }
  )
})
