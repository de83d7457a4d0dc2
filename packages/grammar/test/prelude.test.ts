import type { OutputConstraint, Prelude } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { Grammar, type GrammarState } from '../src/index.ts'

const preceded = (preludes: readonly Prelude[]): OutputConstraint => ({
  type: 'preceded',
  preludes,
  answer: { type: 'choice', texts: ['yes', 'no'] }
})
const until = (text: string) => ({ type: 'until', text }) as const
const literal = (text: string) => ({ type: 'literal', text }) as const

/** Whether these bytes are in the grammar as a whole. */
function takes(grammar: Grammar, bytes: Iterable<number>): boolean {
  let state: GrammarState | undefined = grammar.start
  for (const byte of bytes) {
    state = grammar.after(state, byte)
    if (state === undefined) return false
  }
  return state.nullable
}

t.test('an answer may stand behind any text that ends with a marker', async t => {
  const grammar = new Grammar(preceded([[], [literal('<think>'), until('</think>')]]))
  for (const text of ['yes', '<think></think>no', '<think>Größe? 日本 </ </think </think>\n\nyes'])
    t.ok(grammar.accepts(text), text)
  for (const text of [
    'maybe',
    ' yes',
    '<think>yes',
    '<think></think>',
    '<think></think>yes</think>yes',
    '</think>yes'
  ]) {
    t.notOk(grammar.accepts(text), text)
  }
  t.notOk(new Grammar(preceded([[until('</think>')]])).accepts('yes'), 'what the prompt has begun must end')
})

t.test('the first marker is the end, however much of it came before', async () => {
  for (const marker of ['</think>', 'aab', 'aaa', 'abab', '◁/think▷']) {
    const grammar = new Grammar(preceded([[until(marker)]]))
    const letters = fc.array(fc.constantFrom(...new Set([...marker, 'x', '日'])), { maxLength: 12 })
    assertProperty(
      fc.property(letters, list => {
        const text = list.join('')
        const whole = `${text}${marker}`
        return grammar.accepts(`${whole}no`) === (whole.indexOf(marker) === text.length)
      })
    )
  }
})

t.test('a marker may be the special token of its name, which is no other text', async t => {
  const bytes = (...parts: readonly (string | number)[]): number[] =>
    parts.flatMap(part => (typeof part === 'number' ? [part] : [...Buffer.from(part)]))
  const grammar = new Grammar(preceded([[literal('[THINK]'), until('[/THINK]')]]))
  t.ok(takes(grammar, bytes(0xff, '[THINK]', 'Hm', 0xff, '[/THINK]', 'yes')))
  t.ok(takes(grammar, bytes('[THINK]', 'Hm', 0xff, '[/THINK]', 'yes')))
  t.notOk(takes(grammar, bytes('[THINK]', 0xff, '[OTHER]', '[/THINK]', 'yes')), 'no other token may stand in it')
  t.notOk(takes(new Grammar({ type: 'regex', pattern: '[^]*' }), bytes(0xff, 'a')), 'nor in any text')
})

t.test('calls may be written in another form', async t => {
  const functions = [{ name: 'add', parameters: '{"type":"object","properties":{"x":{"type":"integer"}}}' }]
  const form = {
    begin: ['[TOOL_CALLS]', '['],
    beforeName: ['<'],
    quotedName: false,
    beforeArguments: ['>'],
    afterArguments: [';'],
    between: [', '],
    end: [']']
  }
  const several = new Grammar({ type: 'tool_calls', functions, parallel: true, form })
  t.ok(several.accepts('[TOOL_CALLS][<add>{"x":1};]'))
  t.ok(several.accepts('[TOOL_CALLS][<add>{"x":1};, <add>{};]'))
  t.notOk(several.accepts('[TOOL_CALLS][<add>{"x":1};'))
  const { between: _, ...single } = form
  t.notOk(
    new Grammar({ type: 'tool_calls', functions, parallel: true, form: single }).accepts(
      '[TOOL_CALLS][<add>{};<add>{};]'
    )
  )
})
