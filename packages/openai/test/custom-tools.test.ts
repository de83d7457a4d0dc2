import { CustomInput } from '@resultity/dialects'
import { Grammar } from '@resultity/grammar'
import { HERMES_FORM } from '@resultity/interface'
import t from 'tap'
import { ChoiceText } from '../src/tools/choice-text.ts'
import { inputGrammars, parameterPlaces, type ToolUse, toolUseOf, unheldPlaces } from '../src/tools/tool-use.ts'

const grammar = { type: 'grammar' as const, grammar: { syntax: 'regex' as const, definition: 'a"{2}|\\d+\\n' } }
const tools = [
  { type: 'function' as const, function: { name: 'add', strict: true } },
  { type: 'custom' as const, custom: { name: 'run', description: 'Runs it.', format: grammar } },
  { type: 'custom' as const, custom: { name: 'say' } }
]

t.test('the text of a custom tool is read out of the arguments, however they are cut', t => {
  const texts = ['', 'plain', 'a "quoted" \\ one\n\ttwo', '\u0000 é 😀 \ud83d', '{"input": "x"}']
  for (const text of texts) {
    for (const json of [JSON.stringify({ input: text }), `{ "input" : ${JSON.stringify(text)} }`]) {
      const whole = new CustomInput()
      t.equal(whole.push(json), text)
      const pieces = new CustomInput()
      t.equal([...json].map(letter => pieces.push(letter)).join(''), text, 'letter by letter')
    }
  }
  const escaped = new CustomInput()
  t.equal([...'{"input":"\\ud83d\\ude00\\/"}'].map(letter => escaped.push(letter)).join(''), '😀/')
  const others: [string, string][] = [
    ['{"query":"x"}', 'x'],
    ['{"query":1}', '1'],
    ['{"a":"x","b":"y"}', '{"a":"x","b":"y"}'],
    ['{"a":"y","input":"x"}', 'x'],
    ['{}', '{}']
  ]
  for (const [json, text] of others)
    t.equal(new CustomInput().push(json), text, 'what a model wrote that was held to no form')
  t.end()
})

t.test('a custom tool is told to the model as a function that takes a text', t => {
  const use = toolUseOf({ tools })
  t.match(use, { custom: new Set(['run', 'say']), legacy: false, constraint: undefined })
  t.match(use?.tools[1]?.function, {
    name: 'run',
    description: /^Runs it\.\n\nIts input matches this regular expression:\na"\{2\}\|/,
    parameters: { properties: { input: { type: 'string' } }, required: ['input'] }
  })
  t.same(inputGrammars(use as ToolUse), [
    { constraint: { type: 'regex', pattern: 'a"{2}|\\d+\\n' }, place: 'tools[1].custom.format.grammar.definition' }
  ])
  t.same(
    unheldPlaces(use as ToolUse),
    ['tools[0].strict', 'tools[1].format'],
    'what a model that decides is not held to'
  )
  const chosen = { tools, tool_choice: { type: 'custom' as const, custom: { name: 'run' } } }
  t.same(parameterPlaces(toolUseOf(chosen) as ToolUse), ['tools[1].custom.format'])
  const held = new Grammar(toolUseOf(chosen)?.constraint ?? { type: 'json_object' })
  const call = (input: string) =>
    [
      HERMES_FORM.beforeName,
      '"run"',
      HERMES_FORM.beforeArguments,
      JSON.stringify({ input }),
      HERMES_FORM.afterArguments
    ]
      .flat()
      .join('')
  for (const input of ['a""', '12\n']) t.ok(held.accepts(call(input)), input)
  for (const input of ['a', '12', 'xa""', '']) t.notOk(held.accepts(call(input)), input)
  const other = { type: 'function' as const, function: { name: 'run' } }
  const refusal = { code: 'invalid_request', details: { param: 'tool_choice.function.name' } }
  t.throws(() => toolUseOf({ tools, tool_choice: other }), refusal)
  t.end()
})

t.test('calls of custom tools are told in deltas and as a message', t => {
  const choice = new ChoiceText({ toolUse: toolUseOf({ tools }), id: 'x' })
  const call = '<tool_call>\n{"name": "say", "arguments": {"input": "Hi \\"you\\""}}\n</tool_call>'
  const deltas = [...choice.push(call), ...choice.flush()]
  const id = choice.toolCalls[0]?.id
  t.same(deltas, [
    { tool_calls: [{ index: 0, id, type: 'custom', custom: { name: 'say', input: '' } }] },
    { tool_calls: [{ index: 0, custom: { input: 'Hi "you"' } }] }
  ])
  t.same(choice.toolCalls, [{ id, type: 'custom', custom: { name: 'say', input: 'Hi "you"' } }])
  t.equal(choice.finish('stop'), 'tool_calls')
  t.end()
})

t.test('who speaks of functions is answered in the same words', t => {
  const functions = [{ name: 'add', parameters: { type: 'object' } }, { name: 'now' }]
  const use = toolUseOf({ functions })
  t.match(use, { legacy: true, parallel: false, tools: [{ type: 'function', function: functions[0] }, {}] })
  const choice = new ChoiceText({ toolUse: use, id: 'x' })
  const call = '<tool_call>\n{"name": "add", "arguments": {"x": 1}}\n</tool_call>'
  t.same(choice.push(call + call), [
    { function_call: { name: 'add', arguments: '' } },
    { function_call: { arguments: '{"x":1}' } }
  ])
  t.same([choice.toolCalls, choice.functionCall], [[], { name: 'add', arguments: '{"x":1}' }])
  t.equal(choice.finish('stop'), 'function_call')
  t.equal(toolUseOf({ functions, function_call: 'none' }), undefined)
  t.equal(toolUseOf({ functions: [], function_call: 'auto' }), undefined)
  t.match(toolUseOf({ functions, function_call: { name: 'now' } })?.constraint, {
    functions: [{ name: 'now' }],
    parallel: false
  })
  const refused: [Parameters<typeof toolUseOf>[0], string][] = [
    [{ function_call: { name: 'now' } }, 'function_call'],
    [{ functions, function_call: { name: 'other' } }, 'function_call.name'],
    [{ functions: [...functions, { name: 'now' }] }, 'functions[2].name'],
    [{ functions, tools }, 'functions'],
    [{ functions, tool_choice: 'required' }, 'tool_choice'],
    [{ tools, function_call: 'none' }, 'function_call'],
    [
      { functions: [{ name: 'x', parameters: { type: 'string' } }], function_call: { name: 'x' } },
      'functions[0].parameters.type'
    ]
  ]
  for (const [fields, param] of refused)
    t.throws(() => toolUseOf(fields), { code: 'invalid_request', details: { param } }, param)
  t.end()
})
