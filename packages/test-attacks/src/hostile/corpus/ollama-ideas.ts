import fc from 'fast-check'
import { type Body, withOddFields } from './chat-ideas.ts'
import { type Idea, post, SERVED } from './hostile-case.ts'
import { mostly, type Scale } from './scale.ts'
import { hostileObjectSchema, hostileSchema } from './schemas.ts'
import { hostileName, hostileText } from './texts.ts'
import { hostileValue } from './values.ts'

const FIELDS = [
  'messages',
  'prompt',
  'system',
  'options',
  'format',
  'tools',
  'stream',
  'think',
  'raw',
  'template',
  'suffix',
  'context',
  'images',
  'keep_alive',
  'logprobs',
  'top_logprobs',
  'input',
  'truncate',
  'dimensions',
  'store',
  'mesh',
  'model'
]

const OPTIONS = [
  'num_predict',
  'temperature',
  'top_k',
  'top_p',
  'min_p',
  'seed',
  'stop',
  'repeat_penalty',
  'repeat_last_n',
  'mirostat',
  'num_ctx'
]

const options: Body = { num_predict: 4, temperature: 0 }
const chat: Body = { model: SERVED.chat, options, messages: [{ role: 'user', content: 'Who are you?' }] }
const generate: Body = { model: SERVED.chat, options, prompt: 'Who are you?' }
const embed: Body = { model: SERVED.encoder, input: 'Who are you?' }

function turns(scale: Scale): fc.Arbitrary<Body[]> {
  const content = hostileText({ ...scale, characters: Math.min(scale.characters, 2_000) })
  const name = mostly(fc.constantFrom('f', 'go'), hostileName(scale))
  const call = fc.record({ function: fc.record({ name, arguments: hostileValue(scale) }) })
  const turn = fc.record(
    {
      role: mostly(fc.constantFrom('user', 'assistant', 'system', 'tool'), fc.constant('x')),
      content,
      thinking: content,
      tool_name: name,
      tool_calls: fc.array(call, { maxLength: 2 }),
      images: fc.constantFrom([], ['aaaa'])
    },
    { requiredKeys: ['role', 'content'] }
  )
  return fc.array(turn, { maxLength: 4 })
}

const ollama: Idea = {
  name: "Ollama's requests",
  weight: 4,
  drafts: scale => {
    const text = hostileText({ ...scale, characters: Math.min(scale.characters, 2_000) })
    const stream = fc.boolean()
    const tools = hostileObjectSchema(scale).map(parameters => [
      { type: 'function', function: { name: 'f', parameters } }
    ])
    const format = mostly(hostileSchema(scale), hostileValue(scale))
    const chats = fc.oneof(
      fc.record({ messages: turns(scale), stream }),
      fc.record({ tools, stream }),
      fc.record({ format, stream }),
      withOddFields(options, OPTIONS, scale).map(odd => ({ options: odd }))
    )
    const prompts = fc.record(
      { prompt: text, system: text, raw: fc.boolean(), stream, suffix: fc.constantFrom('', 'x') },
      { requiredKeys: ['prompt'] }
    )
    const inputs = fc.record({ input: fc.oneof(text, fc.array(text, { maxLength: 3 })), truncate: fc.boolean() })
    return fc.oneof(
      chats.map(fields => post('/api/chat', { ...chat, ...fields })),
      prompts.map(fields => post('/api/generate', { ...generate, ...fields })),
      inputs.map(fields => post('/api/embed', { ...embed, ...fields })),
      text.map(prompt => post('/api/embeddings', { model: SERVED.encoder, prompt })),
      hostileValue(scale).map(model => post('/api/show', { model })),
      fc.tuple(fc.constantFrom('pull', 'push', 'create', 'copy'), hostileValue(scale)).map(([what, body]) => {
        return post(`/api/${what}`, body)
      }),
      withOddFields(chat, FIELDS, scale).map(body => post('/api/chat', body)),
      withOddFields(generate, FIELDS, scale).map(body => post('/api/generate', body)),
      withOddFields(embed, FIELDS, scale).map(body => post('/api/embed', body))
    )
  }
}

/** Of Ollama's API. */
export const ollamaIdeas: readonly Idea[] = [ollama]
