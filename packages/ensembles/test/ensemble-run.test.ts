import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { Panel, type Part } from './support/panel.ts'

const says =
  (text: string): Part =>
  async () =>
    text

const breaks: Part = async () => new MeshError('engine_failed', 'it broke')

/** Until its job is told to end. */
const hangs: Part = ({ signal }) =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason))
  })

t.test('fallback goes on past errors and refusals, and asks no more than it needs', async t => {
  const parts = { a: breaks, b: says('DECLINED'), c: says('Paris.'), d: says('Lyon.') }
  const panel = await Panel.open(t, { strategy: 'fallback', models: ['a', 'b', 'c', 'd'], parts })
  const { text, statuses } = await panel.ask()
  t.equal(text, 'Paris.')
  t.strictSame(statuses, ['failed', 'failed', 'succeeded', 'skipped'])
  t.notOk(panel.asked.includes('d'))
})

t.test('when nobody answers, the error has what each of them said', async t => {
  for (const strategy of ['fallback', 'fastest', 'all', 'vote'] as const) {
    const panel = await Panel.open(t, { strategy, models: ['a', 'b'], parts: { a: breaks, b: breaks } })
    await t.rejects(panel.ask(), {
      details: { reason: 'engine_failed' },
      message: /None of 2 models answered\. a: it broke b: it broke/
    })
  }
})

t.test('the fastest answers, and who is slower is told to end', async t => {
  const ended = Promise.withResolvers<void>()
  const slow: Part = async (context, asked) => {
    try {
      return await hangs(context, asked)
    } finally {
      ended.resolve()
    }
  }
  const panel = await Panel.open(t, {
    strategy: 'fastest',
    models: ['a', 'b', 'c'],
    parts: { a: slow, b: says('Rome.'), c: breaks }
  })
  const { text, statuses } = await panel.ask()
  t.equal(text, 'Rome.')
  t.equal(statuses[0], 'cancelled')
  await ended.promise
})

t.test('all that answer are choices, in the order of the models', async t => {
  const panel = await Panel.open(t, {
    strategy: 'all',
    models: ['a', 'b', 'c'],
    parts: { a: says('1'), b: breaks, c: says('3') }
  })
  t.match(await panel.ask(), { texts: ['1', '3'], statuses: ['succeeded', 'failed', 'succeeded'] })
})

t.test('most votes win, the first of the models where several have as many', async t => {
  const parts = { a: says('Lyon'), b: says('paris.'), c: says('Paris'), d: breaks }
  const panel = await Panel.open(t, { strategy: 'vote', models: ['a', 'b', 'c', 'd'], parts })
  t.match(await panel.ask(), { text: 'paris.', votes: [2, 1] })
  const tied = await Panel.open(t, { strategy: 'vote', models: ['a', 'b'], parts: { a: says('x'), b: says('y') } })
  t.match(await tied.ask(), { text: 'x', votes: [1, 1] })
})

t.test(
  'a judge picks or merges, is not asked about one answer, and one that says nonsense changes nothing',
  async t => {
    const parts = (verdict: string, b: Part = says('Rome.')) => ({ a: says('Paris.'), b, j: says(verdict) })
    const judge = { model: 'j', mode: 'pick', instructions: undefined } as const
    const panel = (init: object, verdict: string, b?: Part) =>
      Panel.open(t, { strategy: 'judge', models: ['a', 'b'], judge, ...init, parts: parts(verdict, b) })
    const picking = await panel({}, '{"answer": 2, "reasons": "it is older"}')
    t.match(await picking.ask(), { text: 'Rome.', judge: { picked: 1, reasons: 'it is older' } })
    const merging = await panel({ judge: { ...judge, mode: 'merge' } }, 'Both.\nReasons: why not')
    t.match(await merging.ask(), { text: 'Both.', judge: { picked: null, reasons: 'why not' } })
    const babbling = await panel({}, 'I like trains.')
    t.match(await babbling.ask(), { text: 'Paris.' })
    const alone = await panel({}, 'never said', breaks)
    t.match(await alone.ask(), { text: 'Paris.', judge: undefined })
    t.notOk(alone.asked.includes('j'))
  }
)

t.test('whenever its coordinator ends, an ensemble comes to the same answer, and no model answers twice', async t => {
  const strategies = fc.constantFrom('fallback', 'all', 'vote', 'judge' as const)
  await assertProperty(
    fc.asyncProperty(strategies, fc.nat(3), async (strategy, endsAt) => {
      const interrupted = Promise.withResolvers<void>()
      const answered: string[] = []
      let begun = 0
      const part =
        (model: string, text: string): Part =>
        async (context, asked) => {
          // the one during which the coordinator ends does not answer it
          if (begun++ === endsAt) {
            interrupted.resolve()
            return await hangs(context, asked)
          }
          answered.push(model)
          return text
        }
      const panel = await Panel.open(t, {
        strategy: strategy as 'vote',
        models: ['a', 'b', 'c'],
        judge: { model: 'j', mode: 'pick', instructions: undefined },
        parts: { a: part('a', 'x'), b: part('b', 'y'), c: part('c', 'y'), j: part('j', '{"answer": 3, "reasons": ""}') }
      })
      // fewer are asked than there are: then nothing ends
      const asks = { fallback: 1, all: 3, vote: 3, judge: 4 }[strategy as 'vote']
      const { text } = await panel.ask(endsAt < asks ? interrupted.promise : undefined)
      const expected = { fallback: 'x', all: 'x', vote: 'y', judge: 'y' }[strategy as 'vote']
      return text === expected && new Set(answered).size === answered.length
    }),
    { numRuns: 12 }
  )
})
