import fc from 'fast-check'
import { type Body, withOddFields } from './chat-ideas.ts'
import { type Idea, post, SERVED } from './hostile-case.ts'
import { mostly, type Scale } from './scale.ts'
import { hostileObjectSchema, hostileSchema } from './schemas.ts'
import { hostileName, hostileText } from './texts.ts'
import { hostileValue } from './values.ts'

const FIELDS = [
  'system',
  'messages',
  'max_tokens',
  'stop_sequences',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'metadata',
  'top_k',
  'stream',
  'store',
  'mesh',
  'models'
]

const plain: Body = {
  model: SERVED.chat,
  max_tokens: 4,
  temperature: 0,
  messages: [{ role: 'user', content: 'Who are you?' }]
}

function turns(scale: Scale): fc.Arbitrary<Body[]> {
  const text = hostileText({ ...scale, characters: Math.min(scale.characters, 2_000) })
  const name = mostly(fc.constantFrom('f', 'toolu_1'), hostileName(scale))
  const block = fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: mostly(fc.constant('text'), fc.constantFrom('image', 'x')), text }) },
    fc.record({ type: fc.constant('tool_use'), id: name, name, input: hostileValue(scale) }),
    fc.record({ type: fc.constant('tool_result'), tool_use_id: name, content: text, is_error: fc.boolean() }),
    fc.record({ type: fc.constantFrom('thinking', 'redacted_thinking'), thinking: text })
  )
  const turn = fc.record({
    role: mostly(fc.constantFrom('user', 'assistant'), fc.constantFrom('system', 'x')),
    content: fc.oneof(text, fc.array(block, { maxLength: 3 }))
  })
  return fc.array(turn, { minLength: 1, maxLength: 4 })
}

const messages: Idea = {
  name: 'messages',
  weight: 4,
  drafts: scale => {
    const tools = hostileObjectSchema(scale).map(input_schema => [{ name: 'f', input_schema }])
    const tool_choice = fc.constantFrom({ type: 'any' }, { type: 'auto' }, { type: 'tool', name: 'f' })
    const output_config = hostileSchema(scale).map(schema => ({ format: { type: 'json_schema', schema } }))
    const fields = fc.oneof(
      fc.record({ messages: turns(scale), system: hostileText({ ...scale, characters: 300 }), stream: fc.boolean() }),
      fc.record({ tools, tool_choice, stream: fc.boolean() }),
      fc.record({ output_config })
    )
    const path = fc.constantFrom('/v1/messages', '/v1/messages?beta=true', '/v1/messages/count_tokens')
    return fc
      .tuple(
        path,
        fc.oneof(
          fields.map(one => ({ ...plain, ...one })),
          withOddFields(plain, FIELDS, scale)
        )
      )
      .map(([to, body]) => post(to, body))
  }
}

/** Of Anthropic's API. */
export const messageIdeas: readonly Idea[] = [messages]
