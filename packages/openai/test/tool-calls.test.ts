import { Grammar, TOOL_CALL } from '@resultity/grammar'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import type { AnswerPiece } from '../src/tools/answer-piece.ts'
import { ChoiceText } from '../src/tools/choice-text.ts'
import { type AnswerReader, CallsReader, FreeAnswerReader } from '../src/tools/tool-call-reader.ts'
import { withoutToolTurns } from '../src/tools/tool-prompt.ts'
import { answerConstraint, toolUseOf } from '../src/tools/tool-use.ts'

const names = new Set(['add', 'now'])

/** Pieces of one kind that follow each other, joined: what does not depend on how the text was cut. */
function joined(pieces: readonly AnswerPiece[]): unknown[] {
  const merged: { type: string; index: number; text: string }[] = []
  for (const piece of pieces) {
    const index = piece.type === 'content' ? -1 : piece.index
    const text = piece.type === 'call' ? piece.name : piece.text
    const last = merged.at(-1)
    if (piece.type !== 'call' && last?.type === piece.type && last.index === index) last.text += text
    else merged.push({ type: piece.type, index, text })
  }
  return merged.map(({ type, index, text }) => (index < 0 ? text : [type, index, text]))
}

function read(reader: AnswerReader, texts: readonly string[]): unknown[] {
  return joined([...texts.flatMap(text => reader.push(text)), ...reader.flush()])
}

const free = (parallel = true): FreeAnswerReader => new FreeAnswerReader({ names, parallel })

const ADD = '<tool_call>\n{"name": "add", "arguments": {"x": 1}}\n</tool_call>'
const added = (index: number): unknown[] => [
  ['call', index, 'add'],
  ['arguments', index, '{"x":1}']
]

const cases: { id: string; text: string; pieces: unknown[]; parallel?: boolean }[] = [
  { id: 'plain text', text: 'Hello <b>there</b>. ', pieces: ['Hello <b>there</b>. '] },
  { id: 'a call', text: ADD, pieces: added(0) },
  { id: 'text, then a call', text: `Let me see.\n\n${ADD}\n`, pieces: ['Let me see.', ...added(0)] },
  { id: 'two calls', text: `${ADD}\n${ADD}`, pieces: [...added(0), ...added(1)] },
  { id: 'only one is wanted', text: `${ADD}\n${ADD}`, pieces: added(0), parallel: false },
  { id: 'a call and more text', text: `${ADD}\nDone.`, pieces: [...added(0), '\nDone.'] },
  {
    id: 'an end without a tag',
    text: '<tool_call>{"name":"now"}',
    pieces: [
      ['call', 0, 'now'],
      ['arguments', 0, '{}']
    ]
  },
  {
    id: 'parameters',
    text: '<tool_call>{"name":"now","parameters":{"a":[]}}</tool_call>',
    pieces: [
      ['call', 0, 'now'],
      ['arguments', 0, '{"a":[]}']
    ]
  },
  {
    id: 'arguments as text',
    text: '<tool_call>{"name":"now","arguments":"{\\"a\\":1}"}</tool_call>',
    pieces: [
      ['call', 0, 'now'],
      ['arguments', 0, '{"a":1}']
    ]
  },
  { id: 'no JSON', text: 'a <tool_call>oops</tool_call> b', pieces: ['a <tool_call>oops</tool_call> b'] },
  {
    id: 'a function that nobody declared',
    text: '<tool_call>{"name":"rm"}</tool_call>',
    pieces: ['<tool_call>{"name":"rm"}</tool_call>']
  },
  {
    id: 'arguments that are a list',
    text: '<tool_call>{"name":"now","arguments":[1]}</tool_call>',
    pieces: ['<tool_call>{"name":"now","arguments":[1]}</tool_call>']
  },
  { id: 'cut off inside', text: 'x<tool_call>{"name":"no', pieces: ['x<tool_call>{"name":"no'] },
  { id: 'a tag that is none', text: 'a <tool_cal> <tool_c', pieces: ['a <tool_cal> <tool_c'] },
  {
    id: 'malformed, then a call',
    text: `<tool_call>?</tool_call>${ADD}`,
    pieces: ['<tool_call>?</tool_call>', ...added(0)]
  }
]

t.test('calls are found in free text, however it is cut', async t => {
  for (const { id, text, pieces, parallel = true } of cases) {
    t.same(read(free(parallel), [text]), pieces, id)
    t.same(read(free(parallel), [...text]), pieces, `${id}: letter by letter`)
    const cuts = fc.property(fc.array(fc.nat(text.length), { maxLength: 6 }), places => {
      const at = [0, ...places.toSorted((a, b) => a - b), text.length]
      const texts = at.slice(1).map((end, index) => text.slice(at[index], end))
      return JSON.stringify(read(free(parallel), texts)) === JSON.stringify(pieces)
    })
    assertProperty(cuts, { numRuns: 50 })
  }
})

t.test('not a letter of a block is shown before it is known not to be a call', async t => {
  const reader = free()
  const shown: AnswerPiece[] = []
  for (const letter of `See: ${ADD}`) shown.push(...reader.push(letter))
  t.same(joined(shown.filter(piece => piece.type === 'content')), ['See:'])
  t.equal(reader.calls, 1)
})

t.test('calls that an answer is held to pass on letter by letter', async t => {
  const parameters = '{"type":"object","properties":{"a":{},"s":{"type":"string"}}}'
  const functions = [...names].map(name => ({ name, parameters }))
  const grammar = new Grammar({ type: 'tool_calls', functions, parallel: true })
  const call = (name: string, values: string): string =>
    `${TOOL_CALL.beforeName}${JSON.stringify(name)}${TOOL_CALL.beforeArguments}${values}${TOOL_CALL.afterArguments}`
  const values = ['{}', '{"a":{"b":[1,{"c":"}"}]}}', '{"s":"\\"}]\\\\"}', '{"a": "</tool_call>"}']
  for (const one of values) {
    const text = [call('add', one), call('now', '{}'), call('add', one)].join(TOOL_CALL.between)
    t.ok(grammar.accepts(text), one)
    const pieces = [
      ['call', 0, 'add'],
      ['arguments', 0, one],
      ['call', 1, 'now'],
      ['arguments', 1, '{}'],
      ['call', 2, 'add'],
      ['arguments', 2, one]
    ]
    t.same(read(new CallsReader(), [text]), pieces)
    t.same(read(new CallsReader(), [...text]), pieces, 'letter by letter')
  }
  const cut = call('add', '{"a":[1').slice(0, -TOOL_CALL.afterArguments.length)
  t.same(
    read(new CallsReader(), [cut]),
    [
      ['call', 0, 'add'],
      ['arguments', 0, '{"a":[1']
    ],
    'cut off'
  )
  t.same(read(new CallsReader(), ['<tool_call>\n{"na']), [], 'cut off before the name')
})

t.test('turns that templates do not know become ones that they do', async t => {
  const tool = { type: 'function' as const, function: { name: 'add', description: 'Adds.', parameters: {} } }
  const turns = withoutToolTurns(
    [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: '1+1?' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'add', arguments: { x: 1 } }] },
      { role: 'tool', content: '2', toolCallId: 'a' },
      { role: 'tool', content: '3', toolCallId: 'b' }
    ],
    [tool]
  )
  t.same(
    turns.map(turn => turn.role),
    ['developer', 'user', 'assistant', 'user']
  )
  t.match(turns[0]?.content, /^Be brief\.\n\n# Tools\n/)
  t.ok(turns[0]?.content.includes(`<tools>\n${JSON.stringify(tool)}\n</tools>`))
  t.equal(turns[2]?.content, '<tool_call>\n{"name": "add", "arguments": {"x":1}}\n</tool_call>')
  t.equal(turns[3]?.content, '<tool_response>\n2\n</tool_response>\n<tool_response>\n3\n</tool_response>')
  t.equal(withoutToolTurns([{ role: 'user', content: 'Hi' }], [tool])[0]?.role, 'system', 'there is a system turn')
  const plain = [{ role: 'user' as const, content: 'Hi' }]
  t.same(withoutToolTurns(plain, []), plain, 'nothing else changes')
})

t.test('what tools a request may use', async t => {
  const schema = { type: 'object', properties: { x: { type: 'integer' } } }
  const tools = [
    { type: 'function' as const, function: { name: 'add', parameters: schema } },
    { type: 'function' as const, function: { name: 'now' } }
  ]
  const named = { type: 'function' as const, function: { name: 'now' } }
  t.equal(toolUseOf({}), undefined)
  t.equal(toolUseOf({ tools: [] }), undefined)
  t.equal(toolUseOf({ tools, tool_choice: 'none' }), undefined)
  t.match(toolUseOf({ tools }), { constraint: undefined, parallel: true })
  t.match(toolUseOf({ tools, parallel_tool_calls: false }), { parallel: false })
  const functions = [
    { name: 'add', parameters: JSON.stringify(schema) },
    { name: 'now', parameters: '{"type":"object","properties":{}}' }
  ]
  t.same(toolUseOf({ tools, tool_choice: 'required' })?.constraint, { type: 'tool_calls', functions, parallel: true })
  t.same(toolUseOf({ tools, tool_choice: named })?.constraint, {
    type: 'tool_calls',
    functions: functions.slice(1),
    parallel: false
  })
  const bad = { type: 'function' as const, function: { name: 'bad', parameters: { properties: { a: { not: {} } } } } }
  const refused: [Parameters<typeof toolUseOf>[0], string][] = [
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ tools, tool_choice: { type: 'function', function: { name: 'other' } } }, 'tool_choice.function.name'],
    [{ tools: [...tools, ...tools] }, 'tools[2].function.name'],
    [
      {
        tools: [{ type: 'function', function: { name: 'x', parameters: { type: 'string' } } }],
        tool_choice: 'required'
      },
      'tools[0].function.parameters.type'
    ]
  ]
  for (const [fields, param] of refused)
    t.throws(() => toolUseOf(fields), { code: 'invalid_request', details: { param } }, param)
  t.ok(toolUseOf({ tools: [...tools, bad] }), 'what the model decides itself is held to nothing')
})

t.test('a choice is told in deltas and as a message, with ids that come out the same again', async t => {
  const tools = [{ type: 'function' as const, function: { name: 'add' } }]
  const make = () => new ChoiceText({ toolUse: toolUseOf({ tools }), id: 'req_1 0' })
  const choice = make()
  const deltas = [...choice.push(`Hm. ${ADD.slice(0, 30)}`), ...choice.push(ADD.slice(30)), ...choice.flush()]
  const id = choice.toolCalls[0]?.id
  t.match(id, /^call_[0-9a-f]{24}$/)
  t.same(deltas, [
    { content: 'Hm.' },
    { tool_calls: [{ index: 0, id, type: 'function', function: { name: 'add', arguments: '' } }] },
    { tool_calls: [{ index: 0, function: { arguments: '{"x":1}' } }] }
  ])
  t.same(choice.toolCalls, [{ id, type: 'function', function: { name: 'add', arguments: '{"x":1}' } }])
  t.equal(choice.content, 'Hm.')
  t.equal(choice.finish('stop'), 'tool_calls')
  t.equal(choice.finish('length'), 'length')
  const again = make()
  again.push(ADD)
  t.equal(again.toolCalls[0]?.id, id)
  t.equal(again.content, null, 'nothing but a call')
  const other = new ChoiceText({ toolUse: toolUseOf({ tools }), id: 'req_1 1' })
  other.push(ADD)
  t.not(other.toolCalls[0]?.id, id)
  const plain = new ChoiceText({ toolUse: undefined, id: 'x' })
  t.same(plain.push(ADD), [{ content: ADD }], 'without tools a tag is text')
  t.equal(plain.finish('stop'), 'stop')
  t.equal(new ChoiceText({ toolUse: undefined, id: 'x' }).content, '')
})

t.test('a format beside tools leaves the choice to the model, unless calls are asked for', async t => {
  const tools = [{ type: 'function' as const, function: { name: 'add' } }]
  const format = { type: 'json_object' as const }
  t.equal(answerConstraint(undefined, undefined), undefined)
  t.equal(answerConstraint(undefined, format), format)
  t.equal(answerConstraint(toolUseOf({ tools }), undefined), undefined)
  t.match(answerConstraint(toolUseOf({ tools, tool_choice: 'required' }), format), { type: 'tool_calls' })
  t.match(answerConstraint(toolUseOf({ tools }), format), {
    type: 'any_of',
    options: [format, { type: 'tool_calls', parallel: true }]
  })
})
