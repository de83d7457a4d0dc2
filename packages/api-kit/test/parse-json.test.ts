import t from 'tap'
import { parseJson } from '../src/parse-json.ts'

const LONG = '9223372036854775807'

t.test('a long seed keeps its digits where a request has one', t => {
  const cases: Record<string, readonly [text: string, expected: unknown]> = {
    'of a request': [`{"seed":${LONG}}`, { seed: LONG }],
    'a negative one': [`{"seed" :\n -9223372036854775808 }`, { seed: '-9223372036854775808' }],
    'one just too long': ['{"seed":9007199254740993}', { seed: '9007199254740993' }],
    'of a line': [`{"custom_id":"a","body":{"a":1,"seed":${LONG}}}`, { custom_id: 'a', body: { a: 1, seed: LONG } }],
    'of requests in one call': [
      `{"requests":[{"body":{"seed":1}},{"body":{"seed":${LONG}}},5]}`,
      { requests: [{ body: { seed: 1 } }, { body: { seed: LONG } }, 5] }
    ],
    'the last of two': [`{"seed":${LONG},"seed":9007199254740995}`, { seed: '9007199254740995' }],
    'a last one that is short': [`{"seed":${LONG},"seed":5}`, { seed: 5 }]
  }
  for (const [name, [text, expected]] of Object.entries(cases)) t.strictSame(parseJson(text), expected, name)
  t.end()
})

t.test('everything else is as JSON.parse reads it', t => {
  const same = [
    '{"seed":9007199254740991}',
    '{"seed":1e30}',
    '{"seed":12345678901234567890123}',
    '{"seed":0.12345678901234567}',
    `{"seed":${LONG}.5}`,
    `{"tools":[{"seed":${LONG}}],"a":{"seed":${LONG}},"other":${LONG}}`,
    `{"a":"\\"seed\\":${LONG}","b":"\\\\","seed":1}`,
    `{"\\"seed":${LONG}}`,
    `[{"seed":${LONG}}]`,
    `{"requests":{"body":{"seed":${LONG}}},"body":[{"seed":${LONG}}]}`,
    'null',
    LONG
  ]
  for (const text of same) t.strictSame(parseJson(text), JSON.parse(text), text)
  for (const text of ['{"seed":', `{"seed":${LONG}`, '']) t.throws(() => parseJson(text), SyntaxError, text)
  t.end()
})

t.test('a member __proto__ is one like any other', t => {
  const value = parseJson(
    `{"seed":${LONG},"__proto__":{"polluted":true},"a":{"constructor":{"prototype":{"polluted":true}}}}`
  )
  t.same(Object.keys(value as object), ['seed', '__proto__', 'a'])
  t.notOk('polluted' in (value as object))
  t.notOk('polluted' in {})
  t.end()
})
