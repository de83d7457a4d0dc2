import { type AnswerPiece, type AnswerReader, HeldCallsReader } from '@resultity/dialects'
import { Grammar } from '@resultity/grammar'
import { HERMES_FORM } from '@resultity/interface'
import t from 'tap'
import { ChoiceText } from '../src/tools/choice-text.ts'
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

const ADD = '<tool_call>\n{"name": "add", "arguments": {"x": 1}}\n</tool_call>'
t.test('calls that an answer is held to pass on letter by letter', async t => {
  const parameters = '{"type":"object","properties":{"a":{},"s":{"type":"string"}}}'
  const functions = [...names].map(name => ({ name, parameters }))
  const grammar = new Grammar({ type: 'tool_calls', functions, parallel: true })
  const call = (name: string, values: string): string =>
    `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": ${values}}\n</tool_call>`
  const values = ['{}', '{"a":{"b":[1,{"c":"}"}]}}', '{"s":"\\"}]\\\\"}', '{"a": "</tool_call>"}']
  for (const one of values) {
    const text = [call('add', one), call('now', '{}'), call('add', one)].join('\n')
    t.ok(grammar.accepts(text), one)
    const pieces = [
      ['call', 0, 'add'],
      ['arguments', 0, one],
      ['call', 1, 'now'],
      ['arguments', 1, '{}'],
      ['call', 2, 'add'],
      ['arguments', 2, one]
    ]
    t.same(read(new HeldCallsReader(HERMES_FORM), [text]), pieces)
    t.same(read(new HeldCallsReader(HERMES_FORM), [...text]), pieces, 'letter by letter')
  }
  const cut = call('add', '{"a":[1').slice(0, -'}\n</tool_call>'.length)
  t.same(
    read(new HeldCallsReader(HERMES_FORM), [cut]),
    [
      ['call', 0, 'add'],
      ['arguments', 0, '{"a":[1']
    ],
    'cut off'
  )
  t.same(read(new HeldCallsReader(HERMES_FORM), ['<tool_call>\n{"na']), [], 'cut off before the name')
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
  const allow = (mode: 'auto' | 'required', name: string) => ({
    type: 'allowed_tools' as const,
    allowed_tools: { mode, tools: [{ type: 'function' as const, function: { name } }] }
  })
  const freely = toolUseOf({ tools, tool_choice: allow('auto', 'now') })
  t.match(freely, { tools, names: new Set(['now']), constraint: undefined }, 'the model is told of all')
  t.same(toolUseOf({ tools, tool_choice: allow('required', 'now') })?.constraint, {
    type: 'tool_calls',
    functions: functions.slice(1),
    parallel: true
  })
  const bad = { type: 'function' as const, function: { name: 'bad', parameters: { properties: { a: { not: {} } } } } }
  const refused: [Parameters<typeof toolUseOf>[0], string][] = [
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ tools, tool_choice: { type: 'function', function: { name: 'other' } } }, 'tool_choice.function.name'],
    [{ tools, tool_choice: allow('auto', 'other') }, 'tool_choice.allowed_tools.tools[0].function.name'],
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
