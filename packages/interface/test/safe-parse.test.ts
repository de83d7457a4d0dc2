import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { z } from 'zod'
import { safeParse } from '../src/safe-parse.ts'

const schema = z.looseObject({
  messages: z.array(z.string()).min(1).max(8),
  tools: z.array(z.record(z.string(), z.unknown())).max(8).nullish(),
  stop: z.union([z.string().max(4), z.array(z.string()).max(4)]).optional()
})

t.test('a list whose length cannot be compared is an issue at its place', async t => {
  t.throws(() => schema.safeParse({ messages: { length: { toString: 1 } } }), TypeError, 'zod itself throws')
  const { success, error } = safeParse(schema, { messages: { length: { toString: 1 } } })
  t.equal(success, false)
  t.same(error?.issues[0]?.path, ['messages'])
})

t.test('a property of that name is fine where any is', async t => {
  const input = { messages: ['a'], tools: [{ length: { toString: 1, valueOf: 2 } }] }
  t.same(safeParse(schema, input).data, input)
})

t.test('no JSON throws', async t => {
  const key = fc.constantFrom('messages', 'tools', 'stop', 'length', 'size', 'toString', 'valueOf', '__proto__', 'a')
  const { json } = fc.letrec<{ json: unknown }>(tie => ({
    json: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, 0, 1, 'x', true),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.array(fc.tuple(key, tie('json')), { maxLength: 4 }).map(entries => parsed(entries))
    )
  }))
  assertProperty(
    fc.property(json, value => {
      safeParse(schema, value)
    }),
    { numRuns: 1000 }
  )
  t.pass('whatever it was')
})

/** An object as JSON makes it, a property named `__proto__` included. */
function parsed(entries: readonly (readonly [string, unknown])[]): unknown {
  return JSON.parse(`{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`)
}
