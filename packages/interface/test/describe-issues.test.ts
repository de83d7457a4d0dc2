import t from 'tap'
import { z } from 'zod'
import { describeIssues } from '../src/describe-issues.ts'

const schema = z.object({
  nodes: z.array(z.object({ port: z.int().max(65_535) })),
  name: z.string().max(8),
  labels: z.record(z.string(), z.string()).optional()
})

function described(value: unknown): string {
  const { error } = schema.safeParse(value)
  if (error === undefined) throw new Error('there is nothing wrong with it')
  return describeIssues(error, value)
}

t.test('each field is named by its path, with what stands there', async t => {
  const text = described({ nodes: [{ port: 1 }, { port: 70_000 }], name: ['x', 'y'] })
  t.match(text, '"nodes[1].port" is 70000:')
  t.match(text, '"name" is a list of 2:')
  t.match(described({ nodes: {}, name: 'x' }), '"nodes" is an object:')
  t.match(described({ nodes: [] }), '"name" is missing:')
  t.notMatch(described('a text'), '" is', 'the whole value has no path')
})

t.test('neither long values nor many issues make a long text', async t => {
  t.ok(described({ nodes: [], name: 'x'.repeat(100_000) }).length < 300)
  const text = described({ nodes: Array.from({ length: 5000 }, () => ({ port: 'x' })), name: 'x' })
  t.match(text, /; and 4992 more$/)
  t.ok(text.length < 2000)
})

t.test('a path through a prototype finds nothing', async t => {
  const value = { name: 'x', nodes: [], labels: Object.create({ inherited: 7 }) }
  const error = new z.ZodError([{ code: 'custom', path: ['labels', 'inherited'], message: 'no', input: value }])
  t.equal(describeIssues(error, value), '"labels.inherited" is missing: no')
})
