import { Grammar, WorkBudget } from '../src/index.ts'

/** Measures what grammars take of the heap, in a process where nothing else does. Started with `--expose-gc`. */
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

function inUse(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/** Nothing is let go of meanwhile, so what the heap grows by is what was made. */
const kept: Grammar[] = []

const measured = cases.map(({ id, schema, text }) => {
  const make = (): Grammar => {
    const grammar = new Grammar({ type: 'json_schema', schema: JSON.stringify(schema) })
    grammar.accepts(text, new WorkBudget(id, { steps: 1e9 }))
    return grammar
  }
  // the first one is for what the machine's compiler keeps
  kept.push(make())
  const before = inUse()
  const grammar = make()
  kept.push(grammar)
  const takes = inUse() - before
  return { id, says: grammar.bytes, takes }
})
process.stdout.write(JSON.stringify(measured))
