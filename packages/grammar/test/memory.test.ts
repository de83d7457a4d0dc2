import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { Grammar, WorkBudget } from '../src/index.ts'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** Bytes of the heap that `make` leaves in use. */
function heapOf<Made>(make: () => Made): { made: Made; bytes: number } {
  collect()
  const before = process.memoryUsage()
  const made = make()
  collect()
  const after = process.memoryUsage()
  return { made, bytes: after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers }
}

const cases: readonly { id: string; schema: unknown; text: string }[] = [
  { id: 'a long constant', schema: { const: 'x'.repeat(6000) }, text: JSON.stringify('x'.repeat(6000)) },
  {
    id: 'many members',
    schema: {
      properties: Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`property${at}`, { type: 'string' }]))
    },
    text: JSON.stringify(Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`property${at}`, 'ab'])))
  },
  { id: 'a counted string', schema: { type: 'string', maxLength: 9000 }, text: JSON.stringify('é'.repeat(4000)) },
  { id: 'lists in lists', schema: {}, text: `${'['.repeat(2000)}${']'.repeat(2000)}` },
  { id: 'a long name', schema: { properties: { ['n'.repeat(3000)]: {} }, additionalProperties: true }, text: '{}' },
  { id: 'a grid of counts', schema: { pattern: '^((a{0,14}b?){0,14}c?){0,6}$' }, text: JSON.stringify('a'.repeat(30)) }
]

t.test('the bytes that a grammar says it takes are near those that it takes', async t => {
  for (const { id, schema, text } of cases) {
    const make = (): Grammar => {
      const grammar = new Grammar({ type: 'json_schema', schema: JSON.stringify(schema) })
      grammar.accepts(text, new WorkBudget(id, { steps: 1e9 }))
      return grammar
    }
    // the first one is for what the machine's compiler keeps
    make()
    const { made, bytes } = heapOf(make)
    const share = made.bytes / bytes
    t.ok(share > 0.6 && share < 2.5, `${id}: says ${made.bytes}, takes ${bytes}, ${share.toFixed(2)} of it`)
  }
})
