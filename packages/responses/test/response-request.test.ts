import { MeshError } from '@resultity/interface'
import t from 'tap'
import { inResponseTerms, toChatBody } from '../src/response-request.ts'
import type { ResponseRequest } from '../src/response-schema.ts'

const messagesOf = (request: ResponseRequest): unknown => toChatBody(request).messages

t.test('every form of input is the conversation that it means', t => {
  const cases: { name: string; request: ResponseRequest; messages: readonly object[] }[] = [
    { name: 'a text', request: { input: 'Hi' }, messages: [{ role: 'user', content: 'Hi' }] },
    {
      name: 'instructions come first, and the history before the input',
      request: {
        instructions: 'Be brief.',
        previous_response_id: 'resp_1',
        history: [
          { role: 'user', content: [{ type: 'input_text', text: 'A' }] },
          { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'B' }] }
        ],
        input: 'C'
      },
      messages: [
        { role: 'developer', content: 'Be brief.' },
        { role: 'user', content: 'A' },
        { role: 'assistant', content: 'B' },
        { role: 'user', content: 'C' }
      ]
    },
    {
      name: 'calls belong to the turn before them, thoughts are left out',
      request: {
        input: [
          { role: 'user', content: 'Weather?' },
          { type: 'reasoning', summary: [] },
          { type: 'message', role: 'assistant', content: 'Let me look.' },
          { type: 'function_call', call_id: 'a', name: 'weather', arguments: '{}' },
          { type: 'function_call', call_id: 'b', name: 'time', arguments: '{}' },
          { type: 'function_call_output', call_id: 'a', output: 'sun' },
          { type: 'function_call_output', call_id: 'b', output: [{ type: 'input_text', text: 'noon' }] },
          { type: 'function_call', call_id: 'c', name: 'weather', arguments: '{}' }
        ]
      },
      messages: [
        { role: 'user', content: 'Weather?' },
        {
          role: 'assistant',
          content: 'Let me look.',
          tool_calls: [
            { id: 'a', type: 'function', function: { name: 'weather', arguments: '{}' } },
            { id: 'b', type: 'function', function: { name: 'time', arguments: '{}' } }
          ]
        },
        { role: 'tool', tool_call_id: 'a', content: 'sun' },
        { role: 'tool', tool_call_id: 'b', content: 'noon' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'weather', arguments: '{}' } }]
        }
      ]
    }
  ]
  for (const { name, request, messages } of cases) t.same(messagesOf(request), messages, name)
  t.end()
})

t.test('limits, formats and tools are asked for as a chat completion has them', t => {
  const parameters = { type: 'object', properties: {} }
  const body = toChatBody({
    model: 'm',
    input: 'Hi',
    max_output_tokens: 5,
    temperature: 0,
    include: ['message.output_text.logprobs'],
    text: { format: { type: 'json_schema', name: 'answer', schema: { type: 'object' }, strict: true } },
    tools: [{ type: 'function', name: 'f', parameters, strict: null }],
    tool_choice: { type: 'function', name: 'f' },
    parallel_tool_calls: false
  })
  t.match(body, {
    model: 'm',
    max_completion_tokens: 5,
    temperature: 0,
    logprobs: true,
    top_logprobs: 0,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: { type: 'object' }, strict: true } },
    tools: [{ type: 'function', function: { name: 'f', parameters } }],
    tool_choice: { type: 'function', function: { name: 'f' } },
    parallel_tool_calls: false
  })
  t.match(toChatBody({ input: 'Hi', text: { format: { type: 'json_object' } } }), {
    response_format: { type: 'json_object' }
  })
  const tools = [{ type: 'web_search' }, { type: 'function', name: 'f' }]
  t.match(toChatBody({ input: 'Hi', tools, tool_choice: { type: 'allowed_tools', mode: 'required', tools } }), {
    tool_choice: {
      type: 'allowed_tools',
      allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'f' } }] }
    }
  })
  const plain = toChatBody({ input: 'Hi', text: { format: { type: 'text' } }, tools: [] })
  t.notOk('response_format' in plain || 'tools' in plain || 'logprobs' in plain)
  t.end()
})

t.test('what is not served is refused, naming it', t => {
  const refused: [ResponseRequest, string][] = [
    [{}, 'input'],
    [{ input: [] }, 'input'],
    [{ input: 'Hi', previous_response_id: 'resp_1' }, 'previous_response_id'],
    [{ input: 'Hi', background: true, store: false }, 'background'],
    [{ input: [{ type: 'web_search_call' }] }, 'input[0].type'],
    [{ input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input[0].id'],
    [{ input: [{ role: 'tool', content: 'x' }] }, 'input[0].role'],
    [{ input: [{ content: 'x' }] }, 'input[0].role'],
    [{ input: [{ role: 'user' }] }, 'input[0].content'],
    [{ input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, 'input[0].content[0].image_url'],
    [{ input: [{ role: 'user', content: [{ type: 'input_text' }] }] }, 'input[0].content[0].text'],
    [{ input: [{ type: 'function_call', name: 'f', arguments: '' }] }, 'input[0].call_id'],
    [{ input: [{ type: 'function_call_output', call_id: 'a' }] }, 'input[0].output'],
    [{ input: 'Hi', tools: [{ type: 'web_search' }, { type: 'local_shell' }] }, 'tools[1].type'],
    [{ input: 'Hi', tools: [{ type: 'web_search' }], tool_choice: { type: 'web_search' } }, 'tool_choice'],
    [
      {
        input: 'Hi',
        tools: [{ type: 'function', name: 'f' }],
        tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'mcp' }] }
      },
      'tool_choice.tools'
    ],
    [
      {
        input: 'Hi',
        tools: [{ type: 'function', name: 'f' }],
        tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function' }] }
      },
      'tool_choice.tools[0]'
    ],
    [{ input: 'Hi', tools: [{ type: 'function' }] }, 'tools[0].name'],
    [{ input: 'Hi', tools: [{ type: 'function', name: 'f' }], tool_choice: { type: 'mcp' } }, 'tool_choice'],
    [{ input: 'Hi', text: { format: { type: 'json_schema' } } }, 'text.format.schema']
  ]
  for (const [request, param] of refused) {
    t.throws(() => toChatBody(request), { code: 'invalid_request', details: { param } }, param)
  }
  t.end()
})

t.test('errors of the chat completion speak of the fields of the response', t => {
  const cases = [
    ['messages[3].content', 'input'],
    ['response_format.json_schema.schema.properties.x', 'text.format.schema.properties.x'],
    ['response_format', 'text.format'],
    ['max_completion_tokens', 'max_output_tokens'],
    ['tools[1].function.parameters', 'tools[1].parameters'],
    ['temperature', 'temperature']
  ] as const
  for (const [param, expected] of cases) {
    const error = new MeshError('invalid_request', 'wrong', { hint: 'Do better.', details: { param } })
    t.match(inResponseTerms(error), { message: 'wrong', hint: 'Do better.', details: { param: expected } })
  }
  const tools = [{ type: 'web_search' }, { type: 'function', name: 'f' }]
  const second = new MeshError('invalid_request', 'wrong', { details: { param: 'tools[0].function.name' } })
  t.match(inResponseTerms(second, { tools }), { details: { param: 'tools[1].name' } }, 'as the client counts them')
  t.match(inResponseTerms(new Error('broken')), { code: 'internal' })
  t.end()
})
