import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import OpenAI from 'openai'
import t from 'tap'
import { startScriptedMesh } from './support/scripted-mesh.ts'

// Models that write calls of tools as their families do.

/** A template in which a call is written so. */
function templateOf(call: string): string {
  return `{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% for c in m.tool_calls or [] %}${call}{% endfor %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`
}

const JSON_ARGUMENTS = '{{ c.function.arguments | tojson }}'
const CALLS = {
  llama: `{"name": "{{ c.function.name }}", "parameters": ${JSON_ARGUMENTS}}`,
  mistral: `[TOOL_CALLS]{{ c.function.name }}[ARGS]${JSON_ARGUMENTS}`,
  xml: '<tool_call>\n<function={{ c.function.name }}>\n{% for k, v in c.function.arguments.items() %}<parameter={{ k }}>\n{{ v }}\n</parameter>\n{% endfor %}</function>\n</tool_call>',
  gemma: `<|tool_call>call:{{ c.function.name }}{{ '{' }}{% for k, v in c.function.arguments.items() %}{{ k }}:{{ v }}{% if not loop.last %},{% endif %}{% endfor %}{{ '}' }}<tool_call|>`,
  other: `CALL {{ c.function.name }} WITH ${JSON_ARGUMENTS}`
}

const tinyChat = fileURLToPath(new URL('../../../model/models/tiny-chat', import.meta.url))
const directory = t.testdir()
for (const [name, call] of Object.entries(CALLS)) {
  const folder = join(directory, name)
  await cp(tinyChat, folder, { recursive: true })
  const path = join(folder, 'tokenizer_config.json')
  const config = JSON.parse(await readFile(path, 'utf8'))
  await writeFile(path, JSON.stringify({ ...config, chat_template: templateOf(call) }))
}
// special tokens, which are no text otherwise
const special = join(directory, 'mistral', 'tokenizer.json')
await writeFile(
  special,
  (await readFile(special, 'utf8')).replaceAll('<|system|>', '[TOOL_CALLS]').replaceAll('<|user|>', '[ARGS]')
)
const [TOOL_CALLS, ARGS] = [3, 4]

const mesh = await startScriptedMesh(1, {
  contextLength: 512,
  models: ['tiny-chat', ...Object.keys(CALLS).map(name => `file:${join(directory, name)}`)]
})
t.teardown(() => mesh[Symbol.asyncDispose]())
const client = new OpenAI({ baseURL: `${mesh.coordinator.httpUrl}/v1`, apiKey: 'none' })
const { tokenizer } = mesh
const [endToken = 0] = tokenizer.endTokenIds

let open: Ring['open'] | undefined
let prompt = ''
/** Has the node answer with these texts and tokens. */
function answers(...parts: readonly (string | number)[]): void {
  mesh.ring.script = ring => {
    open = ring.open
    prompt = tokenizer.decode(ring.prompt)
    const tokens = parts.flatMap(part => (typeof part === 'number' ? [part] : tokenizer.encode(part)))
    return ring.sample([...tokens, endToken], 'end_token')
  }
}

const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } }
const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }]
const question = [{ role: 'user' as const, content: 'Weather?' }]
const values = '{"city": "Rome", "days": 2}'
const written: Record<string, readonly (string | number)[]> = {
  llama: [`{"name": "weather", "parameters": ${values}}`],
  mistral: [TOOL_CALLS, 'weather', ARGS, values],
  xml: [
    '<tool_call>\n<function=weather>\n<parameter=city>\nRome\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>'
  ],
  gemma: ['<|tool_call>call:weather{city:<|"|>Rome<|"|>,days:2}<tool_call|>'],
  other: [`<tool_call>\n{"name": "weather", "arguments": ${values}}\n</tool_call>`]
}
/** Asks where the model has to be placed first. */
const placed = { mesh: { stages: 1 } }

t.test('a call in the form of its family is found, whole and streamed', async t => {
  for (const [model, parts] of Object.entries(written)) {
    answers(...parts)
    const whole = await client.chat.completions.create({ model, messages: question, tools, ...placed })
    t.same(openAiErrors('CreateChatCompletionResponse', whole), [])
    const [choice] = whole.choices
    t.match(choice, { finish_reason: 'tool_calls', message: { content: null } }, model)
    const [call] = choice?.message.tool_calls ?? []
    t.match(call, { type: 'function', function: { name: 'weather' } }, model)
    t.same(JSON.parse(call?.type === 'function' ? call.function.arguments : ''), { city: 'Rome', days: 2 }, model)
    const stream = client.chat.completions.stream({ model, messages: question, tools })
    const [streamed] = (await stream.finalChatCompletion()).choices
    t.match(streamed?.message.tool_calls, [{ function: { name: 'weather' } }], model)
    t.match(prompt, /"weather"/, `${model} is told of the tools`)
  }
})

t.test('calls of earlier turns are written as the family does, and others are explained', async t => {
  const messages = [
    ...question,
    {
      role: 'assistant' as const,
      content: null,
      tool_calls: [
        { id: 'call00001', type: 'function' as const, function: { name: 'weather', arguments: '{"city":"Rome"}' } }
      ]
    },
    { role: 'tool' as const, tool_call_id: 'call00001', content: 'Sunny.' }
  ]
  const shown: Record<string, RegExp> = {
    llama: /\{"name": "weather", "parameters": \{"city": "Rome"\}\}/,
    xml: /<function=weather>\n<parameter=city>\nRome\n/,
    other: /For each function call[\s\S]*<tool_call>\n\{"name": "weather", "arguments": \{"city":"Rome"\}\}/
  }
  for (const [model, pattern] of Object.entries(shown)) {
    answers('Fine.')
    await client.chat.completions.create({ model, messages, tools })
    t.match(prompt, pattern, model)
  }
})

t.test('an answer that must be calls is held to the form of its family', async t => {
  const forms: Record<string, object | undefined> = {
    llama: { beforeName: ['{"name": '], beforeArguments: [', "parameters": '] },
    mistral: { beforeName: ['[TOOL_CALLS]'], quotedName: false },
    xml: { beforeName: ['<tool_call>', '\n', '<function='], notation: 'xml' },
    gemma: { beforeName: ['<|tool_call>', 'call:'], notation: 'gemma' },
    other: undefined
  }
  for (const [model, form] of Object.entries(forms)) {
    answers(...(written[model] ?? []))
    const asked = { model, messages: question, tools, tool_choice: 'required' as const }
    const { choices } = await client.chat.completions.create(asked)
    const [call] = choices[0]?.message.tool_calls ?? []
    t.match(call, { function: { name: 'weather' } }, model)
    t.same(JSON.parse(call?.type === 'function' ? call.function.arguments : ''), { city: 'Rome', days: 2 }, model)
    t.match(open?.constraint, { type: 'tool_calls', form }, model)
    const stream = client.chat.completions.stream(asked)
    const [streamed] = (await stream.finalChatCompletion()).choices
    t.match(streamed, { finish_reason: 'tool_calls', message: { content: null } }, model)
    t.match(streamed?.message.tool_calls, [{ function: { name: 'weather' } }], model)
  }
})

t.test('tools that its family has no way to hold to are held to as Hermes writes calls', async t => {
  const free = [
    { type: 'function' as const, function: { name: 'weather', parameters: { type: 'object', anyOf: [parameters] } } }
  ]
  for (const model of ['xml', 'gemma']) {
    answers(...(written.other ?? []))
    const { choices } = await client.chat.completions.create({
      model,
      messages: question,
      tools: free,
      tool_choice: 'required'
    })
    const [call] = choices[0]?.message.tool_calls ?? []
    t.match(call, { function: { name: 'weather', arguments: values } }, model)
    t.match(open?.constraint, { type: 'tool_calls', form: undefined }, model)
  }
})

t.test('an answer that may be calls or a format is read as it is held to', async t => {
  const response_format = { type: 'json_object' as const }
  for (const model of ['gemma', 'xml', 'other']) {
    answers(...(written[model] ?? []))
    const { choices } = await client.chat.completions.create({ model, messages: question, tools, response_format })
    const [call] = choices[0]?.message.tool_calls ?? []
    t.match(call, { function: { name: 'weather' } }, model)
    t.match(open?.constraint, { type: 'any_of', options: [{}, { type: 'tool_calls' }] })
    answers('{"a": 1}')
    const plain = await client.chat.completions.create({ model, messages: question, tools, response_format })
    t.equal(plain.choices[0]?.message.content, '{"a": 1}')
  }
})
