import { invalidRequest, MeshError } from '@resultity/interface'
import t from 'tap'
import { ignoredFields, inMessageTerms, toChatBody } from '../src/message-request.ts'
import type { MessageRequest } from '../src/message-schema.ts'
import { ignoredTools } from '../src/message-tools.ts'

const base: MessageRequest = { model: 'm', max_tokens: 8, messages: [{ role: 'user', content: 'Hi' }] }
const call = { type: 'tool_use', id: 'toolu_1', name: 'look', input: { at: 'x' } }

t.test('every form of a conversation is the turns that it means', async t => {
  const cases: { name: string; request: Partial<MessageRequest>; turns: readonly object[] }[] = [
    { name: 'a text', request: {}, turns: [{ role: 'user', content: 'Hi' }] },
    {
      name: 'system blocks are one turn, at the beginning',
      request: {
        system: [
          { type: 'text', text: 'A', cache_control: { type: 'ephemeral' } },
          { type: 'text', text: 'B' }
        ]
      },
      turns: [
        { role: 'system', content: 'A\nB' },
        { role: 'user', content: 'Hi' }
      ]
    },
    {
      name: 'thoughts and calls belong to their turn, answers of tools are turns',
      request: {
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'Look' }] },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Hm' },
              { type: 'redacted_thinking', data: 'x' },
              { type: 'text', text: 'Yes.' },
              call
            ]
          },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'before' },
              { type: 'tool_result', tool_use_id: 'toolu_1', content: 'seen' },
              {
                type: 'tool_result',
                tool_use_id: 'toolu_2',
                is_error: true,
                content: [{ type: 'text', text: 'gone' }]
              },
              { type: 'tool_result', tool_use_id: 'toolu_3' },
              { type: 'text', text: 'after' }
            ]
          }
        ]
      },
      turns: [
        { role: 'user', content: 'Look' },
        {
          role: 'assistant',
          content: 'Yes.',
          reasoning_content: 'Hm',
          tool_calls: [{ id: 'toolu_1', type: 'function', function: { name: 'look', arguments: '{"at":"x"}' } }]
        },
        { role: 'user', content: 'before' },
        { role: 'tool', tool_call_id: 'toolu_1', content: 'seen', name: 'look' },
        { role: 'tool', tool_call_id: 'toolu_2', content: 'Error: gone' },
        { role: 'tool', tool_call_id: 'toolu_3', content: '' },
        { role: 'user', content: 'after' }
      ]
    }
  ]
  for (const { name, request, turns } of cases) t.same(toChatBody({ ...base, ...request }).messages, turns, name)
})

t.test('fields go by their names in a chat completion, and what was left out stays out', async t => {
  t.same(toChatBody(base), {
    model: 'm',
    messages: [{ role: 'user', content: 'Hi' }],
    max_completion_tokens: 8,
    reasoning_effort: 'none',
    include_reasoning: false
  })
  const schema = { type: 'object' }
  const all = toChatBody({
    ...base,
    temperature: 0,
    top_p: 0.5,
    top_k: 4,
    stream: true,
    seed: 7,
    stop_sequences: ['a'],
    thinking: { type: 'adaptive' },
    output_config: { format: { type: 'json_schema', schema }, effort: 'high' },
    metadata: { user_id: 'u' },
    service_tier: 'auto'
  })
  t.match(all, { temperature: 0, top_p: 0.5, top_k: 4, stream: true, seed: 7, stop: ['a'] })
  t.equal(all.reasoning_effort, 'high')
  t.notOk('include_reasoning' in all)
  t.match(all.response_format, { type: 'json_schema', json_schema: { schema } })
  t.notOk('metadata' in all)
})

t.test('tools are told of but for those of other servers, and chosen from', async t => {
  const look = { name: 'look', description: 'Looks.', input_schema: { type: 'object' } }
  const tools = [...Array.from({ length: 60 }, (_, at) => ({ ...look, name: `mcp__a__${at}` })), look]
  const known = { type: 'function', function: { name: 'look', description: 'Looks.', parameters: { type: 'object' } } }
  const body = toChatBody({ ...base, tools: [{ type: 'web_search_20250305', name: 'web_search' }, ...tools] })
  t.match(body.tools, { length: 61, 60: known })
  const others = ['web_search_20250305', 'web_fetch_20250910', 'code_execution_20250825', 'mcp_toolset', 'web_search']
  const offered = [...others, 'web_search'].map(type => ({ type, name: 'a' }))
  t.same(ignoredTools({ tools: offered }), others)
  t.notOk('tools' in toChatBody({ ...base, tools: offered }))
  const choices: [MessageRequest['tool_choice'], object][] = [
    [{ type: 'auto' }, { tool_choice: 'auto' }],
    [{ type: 'any' }, { tool_choice: 'required' }],
    [{ type: 'none' }, { tool_choice: 'none' }],
    [{ type: 'tool', name: 'look' }, { tool_choice: { type: 'function', function: { name: 'look' } } }],
    [
      { type: 'auto', disable_parallel_tool_use: true },
      { tool_choice: 'auto', parallel_tool_calls: false }
    ]
  ]
  for (const [choice, expected] of choices) t.match(toChatBody({ ...base, tools, tool_choice: choice }), expected)
})

t.test('fields that other servers act upon are named, where they ask for something', async t => {
  t.same(ignoredFields({ ...base, thinking: { type: 'disabled' }, mcp_servers: [], container: null }, false), [])
  t.same(ignoredFields({ ...base, thinking: { type: 'enabled' }, mcp_servers: [{}], container: 'a' }, false), [
    'thinking',
    'mcp_servers',
    'container'
  ])
})

t.test('an error of the chat completion names the field of the message', async t => {
  const input_schema = {}
  const tools = [
    { type: 'web_search' },
    { name: 'a', input_schema },
    { type: 'mcp_toolset' },
    { name: 'b', input_schema }
  ]
  const request = { ...base, tools, output_config: { format: { type: 'json_schema' as const, schema: {} } } }
  const cases: [chat: string, message: string][] = [
    ['messages[3].content', 'messages'],
    ['max_completion_tokens', 'max_tokens'],
    ['stop', 'stop_sequences'],
    ['stop[1]', 'stop_sequences[1]'],
    ['store', 'store'],
    ['tools[0].function.name', 'tools[1].name'],
    ['tools[1].function.parameters/properties/a', 'tools[3].input_schema/properties/a'],
    ['tool_choice.function.name', 'tool_choice.name'],
    ['response_format.json_schema.schema/uniqueItems', 'output_config.format.schema/uniqueItems'],
    ['temperature', 'temperature']
  ]
  for (const [chat, message] of cases) {
    t.equal(inMessageTerms(invalidRequest(chat, 'is wrong'), request).details.param, message)
  }
  const other = new MeshError('model_not_found', 'no such model')
  t.equal(inMessageTerms(other, request), other)
})
