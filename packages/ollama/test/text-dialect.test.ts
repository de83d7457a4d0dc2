import t from 'tap'
import { chatDialect, generateDialect } from '../src/text-dialect.ts'
import { chatBodySchema, generateBodySchema } from '../src/text-schema.ts'

const chatTask = (body: object) => chatDialect.taskOf(chatBodySchema.parse(body), 512)
const generateTask = (body: object) => generateDialect.taskOf(generateBodySchema.parse(body), 512)
const user = { role: 'user', content: 'hello' }

t.test('a conversation with calls and what they answered', async t => {
  const task = chatTask({
    model: 'm',
    messages: [
      user,
      {
        role: 'assistant',
        content: '',
        thinking: 'hm',
        tool_calls: [{ function: { name: 'go', arguments: { x: 1 } } }]
      },
      { role: 'tool', content: 'done', tool_name: 'go' }
    ],
    tools: [{ type: 'function', function: { name: 'go', parameters: { type: 'object', properties: {} } } }],
    format: { type: 'object' },
    stream: false,
    options: { num_predict: 9 }
  })
  t.equal(task?.by, 'chat')
  t.match(task?.body, {
    messages: [
      user,
      {
        role: 'assistant',
        content: '',
        reasoning_content: 'hm',
        tool_calls: [{ type: 'function', function: { name: 'go', arguments: '{"x":1}' } }]
      },
      { role: 'tool', content: 'done', name: 'go' }
    ],
    tools: [{ function: { name: 'go' } }],
    response_format: { type: 'json_schema', json_schema: { schema: { type: 'object' } } },
    max_completion_tokens: 9,
    stream: false
  })
})

t.test('it streams unless told not to, and goes on with what the assistant said last', async t => {
  t.match(chatTask({ messages: [user] })?.body, { stream: true })
  t.match(chatTask({ messages: [user, { role: 'assistant', content: 'Once' }] })?.body, {
    continue_final_message: true,
    add_generation_prompt: false
  })
  t.match(chatTask({ messages: [user], format: 'json' })?.body, { response_format: { type: 'json_object' } })
})

t.test('whether to think, and how much, is an effort; who does not want it does not see it', async t => {
  const effortOf = (think: unknown) => chatTask({ messages: [user], think })?.body
  t.match(effortOf(true), { reasoning_effort: 'medium' })
  for (const level of ['low', 'medium', 'high']) t.match(effortOf(level), { reasoning_effort: level })
  t.match(effortOf(false), { reasoning_effort: 'none', include_reasoning: false })
  t.notOk('reasoning_effort' in (effortOf(undefined) ?? {}), 'as the template has it')
  t.match(generateTask({ prompt: 'a', think: 'low' })?.body, { reasoning_effort: 'low' })
  t.equal(chatDialect.paramOf('reasoning_effort'), 'think')
})

t.test('without messages, or a prompt, the client only wants the model to be there', async t => {
  t.equal(chatTask({ model: 'm' }), undefined)
  t.equal(chatTask({ model: 'm', messages: [], keep_alive: 0 }), undefined)
  t.equal(generateTask({ model: 'm' }), undefined)
})

t.test('a prompt is a turn of the user, or raw what the model reads', async t => {
  t.match(generateTask({ prompt: 'a', system: 's' }), {
    by: 'chat',
    body: {
      messages: [
        { role: 'system', content: 's' },
        { role: 'user', content: 'a' }
      ]
    }
  })
  t.match(generateTask({ prompt: 'a', raw: true }), { by: 'completion', body: { prompt: 'a', max_tokens: 512 } })
})

t.test('what is not served is refused by name', async t => {
  const refused = (work: () => unknown, param: string) =>
    t.throws(work, { code: 'invalid_request', details: { param } }, param)
  refused(() => chatTask({ messages: [{ ...user, images: ['aaaa'] }] }), 'messages[0].images')
  refused(() => generateTask({ prompt: 'a', suffix: 'b' }), 'suffix')
  refused(() => generateTask({ prompt: 'a', template: '{{ .Prompt }}' }), 'template')
  refused(() => generateTask({ prompt: 'a', context: [1] }), 'context')
  refused(() => generateTask({ prompt: 'a', images: ['aaaa'] }), 'images')
  refused(() => generateTask({ prompt: 'a', raw: true, system: 's' }), 'system')
  refused(() => generateTask({ prompt: 'a', raw: true, logprobs: true }), 'logprobs')
  refused(() => generateTask({ prompt: 'a', raw: true, think: true }), 'think')
  t.doesNotThrow(() => generateTask({ prompt: 'a', suffix: '', template: '', context: [], images: [] }))
})

t.test('errors name the fields of this API', async t => {
  t.equal(chatDialect.paramOf('response_format.json_schema.schema/properties/a'), 'format/properties/a')
  t.equal(chatDialect.paramOf('max_completion_tokens'), 'options.num_predict')
  t.equal(chatDialect.paramOf('messages[1].content'), 'messages[1].content')
  t.equal(generateDialect.paramOf('messages'), 'prompt')
})
