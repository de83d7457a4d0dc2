import { recogniseDialect, type ToolDialect } from '@resultity/dialects'
import { canWriteCall, Grammar, type GrammarState, WorkBudget } from '@resultity/grammar'
import { ARGUMENT_NOTATIONS } from '@resultity/interface'
import { Ajv } from 'ajv'
import t from 'tap'
import { readerOf } from '../src/tools/model-dialect.ts'
import { readAsHeld, type ToolUse, toolUseOf } from '../src/tools/tool-use.ts'

// What an answer is held to, written at random, and read again.

/** What templates write of a call of `f`. */
const WRITTEN: Readonly<Record<string, string>> = {
  hermes: '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>',
  'llama-json': '{"name": "f", "parameters": {"x": 1}}',
  'mistral-list': '[TOOL_CALLS] [{"name": "f", "arguments": {"x": 1}}]',
  mistral: '[TOOL_CALLS]f[ARGS]{"x": 1}',
  pythonic: '[f(x=1)]',
  'pythonic, in a frame': '<|tool_call_start|>[f(x=1)]<|tool_call_end|>',
  xml: '<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>',
  gemma: '<|tool_call>call:f{x:1}<tool_call|>',
  'function-gemma': '<start_function_call>call:f{x:1}<end_function_call>'
}

function dialectOf(written: string): ToolDialect {
  const dialect = recogniseDialect(written, 'f')
  if (dialect === undefined) throw new Error(`nobody writes ${written}`)
  return dialect
}

const item = {
  type: 'object',
  properties: {
    id: { type: 'integer' },
    tags: { type: 'array', items: { type: 'string' } },
    'odd key': { type: 'null' }
  },
  required: ['id', 'tags'],
  additionalProperties: false
}
const parameters = {
  type: 'object',
  description: 'Everything that tools have.',
  properties: {
    text: { type: 'string' },
    unit: { type: 'string', enum: ['a b', '<c>', "it's", '\n', 'déjà "vu"\\'] },
    many: { type: 'boolean' },
    count: { type: ['integer', 'null'] },
    share: { type: 'number' },
    items: { type: 'array', items: { $ref: '#/$defs/item' }, maxItems: 2 },
    either: { anyOf: [{ type: 'string' }, { type: 'integer' }, { const: null }] },
    mixed: { enum: ['x', 1, true, null, { k: ['v'] }] }
  },
  required: ['text', 'many'],
  $defs: { item }
}
const functions = [
  { name: 'f', parameters },
  { name: 'now', parameters: { type: 'object', properties: {} } },
  { name: 'g.h', parameters: { type: 'object', properties: { x: { type: 'integer' } } } }
]
const tools = functions.map(one => ({ type: 'function' as const, function: one }))
const ajv = new Ajv({ strict: false })
const validators = new Map(
  functions.map(one => [one.name, ajv.compile({ ...one.parameters, additionalProperties: false })])
)

function useOf(dialect: ToolDialect, offered: typeof tools = tools): ToolUse {
  const use = toolUseOf({ tools: offered, tool_choice: 'required' }, dialect)
  if (use === undefined) throw new Error('the tools are not used')
  return readAsHeld(use, use.constraint)
}

/** Small numbers that a seed gives. */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0
  return sides => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

function nextOf(grammar: Grammar, state: GrammarState): [byte: number, next: GrammarState][] {
  return Array.from({ length: 256 }, (_, byte) => byte).flatMap(byte => {
    const next = grammar.after(state, byte)
    return next === undefined ? [] : [[byte, next]]
  })
}

/** The shortest way to an end. */
function endOf(grammar: Grammar, from: GrammarState): readonly number[] {
  const seen = new Set([from])
  const waiting: { readonly state: GrammarState; readonly bytes: readonly number[] }[] = [{ state: from, bytes: [] }]
  for (const { state, bytes } of waiting) {
    if (state.nullable) return bytes
    for (const [byte, next] of nextOf(grammar, state)) {
      if (seen.has(next)) continue
      seen.add(next)
      waiting.push({ state: next, bytes: [...bytes, byte] })
    }
  }
  throw new Error('there is no end')
}

/** The byte before the name of a special token. */
const TOKEN = 0xff

/** So many bytes at random, and an end. */
function randomText(grammar: Grammar, seed: number, length: number): string {
  const roll = dice(seed)
  const bytes: number[] = []
  let state = grammar.start
  for (let at = 0; at < length; at++) {
    const options = nextOf(grammar, state)
    // letters rather than the parts of rarer characters
    const plain = options.filter(([byte]) => byte < 0x80 || byte === TOKEN)
    const [byte, next] = (plain.length > 0 ? plain : options)[roll((plain.length > 0 ? plain : options).length)] ?? []
    if (byte === undefined || next === undefined) break
    bytes.push(byte)
    state = next
  }
  const all = [...bytes, ...endOf(grammar, state)].filter(byte => byte !== TOKEN)
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(all))
}

function callsIn(use: ToolUse, texts: readonly string[]) {
  const reader = readerOf(use)
  const calls: { name: string; text: string }[] = []
  let content = ''
  for (const piece of [...texts.flatMap(text => reader.push(text)), ...reader.flush()]) {
    if (piece.type === 'content') content += piece.text
    else if (piece.type === 'call') calls.push({ name: piece.name, text: '' })
    else
      calls[piece.index] = { name: calls[piece.index]?.name ?? '', text: (calls[piece.index]?.text ?? '') + piece.text }
  }
  return { calls, content }
}

for (const [family, written] of Object.entries(WRITTEN)) {
  t.test(`calls that are held to the form of ${family} are read as calls with valid arguments`, async t => {
    const dialect = dialectOf(written)
    const use = useOf(dialect)
    t.same(use.constraint?.form, dialect.form, 'its own form')
    const grammar = new Grammar(use.constraint ?? { type: 'json_object' })
    grammar.work(new WorkBudget('the test', { steps: Number.MAX_SAFE_INTEGER }))
    const names = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const text = randomText(grammar, seed, seed * 4)
      for (const texts of [[text], [...text]]) {
        const { calls, content } = callsIn(use, texts)
        if (calls.length === 0 || content !== '')
          t.fail(`${JSON.stringify(text)} is read as ${JSON.stringify(content)}`)
        for (const { name, text: values } of calls) {
          names.add(name)
          const validate = validators.get(name)
          if (validate?.(JSON.parse(values)) !== true) t.fail(`${JSON.stringify(text)} is read as ${values}`)
        }
      }
    }
    t.ok(names.size > 1)
  })
}

t.test('what models write is allowed', async t => {
  const call = { text: 'Say "hi",\n <b>it\'s</b> 1 | 2', many: true, items: [{ id: 1, tags: ['x'] }] }
  const texts: Readonly<Record<string, string>> = {
    pythonic: `[f(text=${JSON.stringify(call.text)}, many=True, items=[{"id": 1, "tags": ["x"]}]), now()]`,
    xml: `<tool_call>\n<function=f>\n<parameter=text>\n${call.text}\n</parameter>\n<parameter=many>\ntrue\n</parameter>\n<parameter=items>\n[{"id": 1, "tags": ["x"]}]\n</parameter>\n</function>\n</tool_call>`,
    gemma: `<|tool_call>call:f{text:<|"|>${call.text}<|"|>,many:true,items:[{id:1,tags:[<|"|>x<|"|>]}]}<tool_call|>`
  }
  for (const [family, text] of Object.entries(texts)) {
    const use = useOf(dialectOf(WRITTEN[family] ?? ''))
    t.ok(new Grammar(use.constraint ?? { type: 'json_object' }).accepts(text), text)
    t.same(JSON.parse(callsIn(use, [text]).calls[0]?.text ?? ''), call)
  }
})

t.test('tools that a notation cannot say are held to as Hermes writes them', async t => {
  const cannot: Readonly<Record<string, readonly object[]>> = {
    python: [
      { properties: { 'a-b': {} } },
      { properties: { '1': {} } },
      { additionalProperties: true, properties: {} }
    ],
    xml: [{ properties: { a: { type: 'string', pattern: '^x' } } }, { properties: { 'a>': {} } }, { anyOf: [{}] }],
    gemma: [{ properties: { 'a b': {} } }, {}, { properties: {}, patternProperties: { x: {} } }],
    'function-gemma': [{ properties: { a: {} }, required: ['b'] }]
  }
  for (const notation of ARGUMENT_NOTATIONS) {
    const canWrite = (schema: object) =>
      canWriteCall(notation, { name: 'f', parameters: JSON.stringify({ type: 'object', ...schema }) })
    for (const schema of cannot[notation] ?? []) t.notOk(canWrite(schema), `${notation} ${JSON.stringify(schema)}`)
    t.ok(canWrite(parameters))
  }
  const free = [
    { type: 'function' as const, function: { name: 'f', parameters: { type: 'object', additionalProperties: true } } }
  ]
  const use = useOf(dialectOf(WRITTEN.gemma ?? ''), free as unknown as typeof tools)
  t.equal(use.constraint?.form, undefined)
  t.same(callsIn(use, ['<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>']).calls, [
    { name: 'f', text: '{"x": 1}' }
  ])
})
