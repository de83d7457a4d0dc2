import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Anthropic from '@anthropic-ai/sdk'
import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import { Ollama } from 'ollama'
import OpenAI from 'openai'
import t from 'tap'
import { readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

// Models that reason before they answer, in the forms of several families.

const TURNS =
  "{% for m in messages %}<|{{ m['role'] }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m['content'] }}<|end|>{% endfor %}"
const HEAD = '{% if add_generation_prompt %}<|assistant|>'
const TEMPLATES = {
  thinks: `${TURNS}${HEAD}{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{% endif %}`,
  begins: `${TURNS}${HEAD}<think>\n{% endif %}`,
  efforts: `Effort: {{ reasoning_effort | default('medium') }}${TURNS}${HEAD}{% endif %}{# <think> #}`,
  special: `{% for m in messages %}{{ m['content'] }}<|end|>{% endfor %}${HEAD}{% endif %}{# [THINK] #}`,
  channels: `{% for m in messages %}{{ m['content'] }}<|end|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}{# <|channel|><|message|> #}`
}

const tinyChat = fileURLToPath(new URL('../../../model/models/tiny-chat', import.meta.url))
const directory = t.testdir()
for (const [name, template] of Object.entries(TEMPLATES)) {
  const folder = join(directory, name)
  await cp(tinyChat, folder, { recursive: true })
  const path = join(folder, 'tokenizer_config.json')
  const config = JSON.parse(await readFile(path, 'utf8'))
  await writeFile(path, JSON.stringify({ ...config, chat_template: template }))
}
// special tokens, which are no text otherwise
async function rename(model: string, names: Readonly<Record<string, string>>): Promise<void> {
  const path = join(directory, model, 'tokenizer.json')
  let text = await readFile(path, 'utf8')
  for (const [from, to] of Object.entries(names)) text = text.replaceAll(from, to)
  await writeFile(path, text)
}
await rename('special', { '<|system|>': '[THINK]', '<|user|>': '[/THINK]' })
const [OPEN, CLOSE] = [3, 4]
await rename('channels', {
  '<|system|>': '<|channel|>',
  '<|user|>': '<|message|>',
  '<|assistant|>': '<|start|>',
  '<|end|>': '<|return|>',
  '<unk>': '<|end|>'
})
const [CHANNEL, MESSAGE, START, END] = [3, 4, 5, 0]

const mesh = await startScriptedMesh(1, {
  contextLength: 512,
  models: ['tiny-chat', ...Object.keys(TEMPLATES).map(name => `file:${join(directory, name)}`)]
})
t.teardown(() => mesh[Symbol.asyncDispose]())
const url = mesh.coordinator.httpUrl
const { tokenizer } = mesh
const [endToken = 0] = tokenizer.endTokenIds

let open: Ring['open'] | undefined
let prompt = ''
/** Has the node answer with this text, token by token. */
function answers(text: string, before: readonly number[] = []): void {
  mesh.ring.script = ring => {
    open = ring.open
    prompt = tokenizer.decode(ring.prompt)
    return ring.sample([...before, ...tokenizer.encode(text), endToken], 'end_token')
  }
}

async function ask(model: string, more: object = {}, path = '/v1/chat/completions') {
  const messages = [{ role: 'user', content: 'hi' }]
  const body = JSON.stringify({ model, messages, mesh: { stages: 1 }, ...more })
  const response = await fetch(`${url}${path}`, { method: 'POST', body })
  const value = await response.json()
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(value)}`)
  return { value, headers: response.headers, choice: value.choices?.[0] }
}

const THOUGHT = 'Hm, {"a": stop}.'
const ANSWERED = `<think>\n${THOUGHT}\n</think>\n\nFine.`

t.test('reasoning is apart from the answer, and counted', async t => {
  answers(ANSWERED)
  const { value, choice } = await ask('thinks')
  t.same(openAiErrors('CreateChatCompletionResponse', value), [])
  t.match(choice, { finish_reason: 'stop', message: { content: 'Fine.', reasoning_content: THOUGHT } })
  const { completion_tokens: all, completion_tokens_details: details } = value.usage
  t.equal(details.reasoning_tokens, tokenizer.encode(`<think>\n${THOUGHT}\n</think>\n\n`).length)
  t.equal(all, tokenizer.encode(ANSWERED).length + 1)
  t.notOk('reasoning_content' in (await ask('tiny-chat')).choice.message, 'a model that does not reason has none')
  answers(`${THOUGHT}</think>Fine.`)
  t.match((await ask('begins')).choice.message, { content: 'Fine.', reasoning_content: THOUGHT })
  answers('Fine.', [OPEN, ...tokenizer.encode(THOUGHT), CLOSE])
  t.match((await ask('special')).choice.message, { content: 'Fine.', reasoning_content: THOUGHT })
})

t.test('streamed it comes first, in pieces of its own', async t => {
  answers(ANSWERED)
  const body = { model: 'thinks', messages: [{ role: 'user', content: 'hi' }], stream: true, logprobs: true }
  const asked = { ...body, stream_options: { include_usage: true } }
  const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(asked) })
  const chunks = (await readEvents(response)).slice(0, -1).map(event => JSON.parse(event))
  t.same(
    chunks.flatMap(chunk => openAiErrors('CreateChatCompletionStreamResponse', chunk)),
    []
  )
  const deltas = chunks.flatMap(chunk => chunk.choices.map(({ delta }: { delta: Record<string, string> }) => delta))
  t.equal(deltas.map(delta => delta.reasoning_content ?? '').join(''), THOUGHT)
  t.equal(deltas.map(delta => delta.content ?? '').join(''), 'Fine.')
  const lastThought = deltas.findLastIndex(delta => delta.reasoning_content !== undefined)
  t.ok(lastThought < deltas.findIndex(delta => (delta.content ?? '') !== ''))
  t.ok(chunks.at(-1).usage.completion_tokens_details.reasoning_tokens > 0)
  const scored = chunks.flatMap(chunk => chunk.choices[0]?.logprobs?.content ?? [])
  t.equal(
    scored
      .map(({ token }: { token: string }) => token)
      .join('')
      .trim(),
    'Fine.'
  )
})

t.test('stops and forms hold for the answer alone', async t => {
  answers(ANSWERED)
  t.match((await ask('thinks', { stop: ['stop', 'ne'] })).choice, {
    stop_reason: 'ne',
    message: { content: 'Fi', reasoning_content: THOUGHT }
  })
  answers(`<think>${THOUGHT}</think>{"a": 1}`)
  const { choice } = await ask('thinks', { response_format: { type: 'json_object' } })
  t.match(choice.message, { content: '{"a": 1}', reasoning_content: THOUGHT })
  t.match(open?.constraint, { type: 'preceded', answer: { type: 'json_object' } })
  await ask('thinks', { response_format: { type: 'json_object' }, reasoning_effort: 'none' }).catch(() => undefined)
  t.match(open?.constraint, { type: 'json_object' }, 'a prompt that ends the reasoning leaves none before the answer')
})

t.test('what is checked is what the node wrote, not how it is read', async t => {
  const held = async (text: string, pattern: string) => {
    answers(text)
    return (await ask('thinks', { guided_regex: pattern })).choice.message
  }
  t.match(await held('<think>Hm.</think>\n\n- one', '\\n\\n- \\w+'), { content: '- one', reasoning_content: 'Hm.' })
  t.match(await held('<think>no end', '.+'), { content: '', reasoning_content: 'no end' }, 'the answer that it is')
  await t.rejects(held('<think>Hm.</think>two', '\\n*one'), /breaks the constraint/)
})

t.test('heads of messages are no part of the answer', async t => {
  const head = (channel: string) => [CHANNEL, ...tokenizer.encode(channel), MESSAGE]
  const start = [START, ...tokenizer.encode('assistant')]
  answers('Fine.', [...head('analysis'), ...tokenizer.encode(THOUGHT), END, ...start, ...head('final')])
  const { value, choice } = await ask('channels', { logprobs: true })
  t.match(choice.message, { content: 'Fine.', reasoning_content: THOUGHT })
  const scored = choice.logprobs.content.map(({ token }: { token: string }) => token)
  t.equal(scored.join('').trim(), 'Fine.')
  const { completion_tokens: all, completion_tokens_details: details } = value.usage
  t.equal(all - details.reasoning_tokens, tokenizer.encode('Fine.').length + 1)
  answers('Fine.', head('final'))
  const plain = await ask('channels', { logprobs: true })
  t.equal(plain.choice.logprobs.content.length, tokenizer.encode('Fine.').length)
  t.equal(plain.value.usage.completion_tokens_details.reasoning_tokens, 0, 'no reasoning, no tokens of it')
})

t.test('how much to reason is said as the template reads it, or else in a header', async t => {
  answers('Fine.')
  const ignored = async (model: string, more: object) =>
    (await ask(model, more)).headers.get('x-resultity-ignored-fields')
  t.equal(await ignored('thinks', { reasoning_effort: 'none' }), null)
  t.match(prompt, /<think><\/think>$/)
  await ignored('thinks', { reasoning_effort: 'none', chat_template_kwargs: { enable_thinking: true } })
  t.notMatch(prompt, /<\/think>/, "the template's own variables take precedence")
  t.equal(await ignored('efforts', { reasoning_effort: 'xhigh' }), null)
  t.match(prompt, /Effort: high/)
  t.equal(await ignored('begins', { reasoning_effort: 'none' }), 'reasoning_effort')
  t.equal(await ignored('tiny-chat', { reasoning_effort: 'high' }), 'reasoning_effort')
  t.equal(await ignored('tiny-chat', { reasoning_effort: 'none' }), null)
})

t.test('what a prompt would be is shown with the same fields', async t => {
  const messages = [{ role: 'user', content: 'hi' }]
  const turn = { role: 'assistant', content: 'Well,' }
  const cases = [
    { model: 'thinks', reasoning_effort: 'none' },
    { model: 'thinks', chat_template_kwargs: { enable_thinking: false } },
    { model: 'efforts', reasoning_effort: 'xhigh' },
    { model: 'thinks', messages: [...messages, turn], continue_final_message: true },
    { model: 'thinks', add_generation_prompt: false }
  ]
  for (const one of cases) {
    answers('Fine.')
    await ask(one.model, one)
    const { value } = await ask(one.model, { messages, ...one }, '/apply-template')
    t.equal(value.prompt.replaceAll(/<\|\w+\|>/g, ''), prompt, JSON.stringify(one))
    const { value: tokenized } = await ask(one.model, { messages, ...one }, '/tokenize')
    t.equal(tokenizer.decode(tokenized.tokens), prompt)
  }
  const both = { messages: [...messages, turn], continue_final_message: true, add_generation_prompt: true }
  for (const path of ['/tokenize', '/apply-template'])
    await t.rejects(ask('thinks', both, path), /add_generation_prompt/)
})

t.test('it is left out, or left in the text, as asked', async t => {
  answers(ANSWERED)
  const { value, choice } = await ask('thinks', { include_reasoning: false })
  t.equal(choice.message.content, 'Fine.')
  t.notOk('reasoning_content' in choice.message)
  t.ok(value.usage.completion_tokens_details.reasoning_tokens > 0)
  t.equal((await ask('thinks', { reasoning_format: 'none' })).choice.message.content, ANSWERED)
  answers('Fine.', [OPEN, ...tokenizer.encode(THOUGHT), CLOSE])
  const { choice: tagged } = await ask('special', { reasoning_format: 'none' })
  t.equal(tagged.message.content, `[THINK]${THOUGHT}[/THINK]Fine.`, 'tags that are tokens too')
})

t.test('earlier reasoning is given to the template', async t => {
  answers('Fine.')
  const turn = { role: 'assistant', content: 'Hello.', reasoning_content: 'Be polite.' }
  await ask('thinks', { messages: [{ role: 'user', content: 'hi' }, turn, { role: 'user', content: 'and?' }] })
  t.match(prompt, '<think>Be polite.</think>Hello.')
  const thought = { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'Be kind.' }] }
  const input = [
    { role: 'user', content: 'hi' },
    thought,
    { role: 'assistant', content: 'Hello.' },
    { role: 'user', content: '?' }
  ]
  await ask('thinks', { input }, '/v1/responses')
  t.match(prompt, '<think>Be kind.</think>Hello.')
})

t.test('responses have it as an item, which the official client reads', async t => {
  answers(ANSWERED)
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' })
  const asked = { model: 'thinks', input: 'hi', reasoning: { effort: 'low' } } as const
  const whole = await client.responses.create(asked)
  t.same(openAiErrors('Response', whole), [])
  const [reasoning, message] = whole.output
  t.match(reasoning, {
    type: 'reasoning',
    id: /^rs_/,
    summary: [],
    content: [{ type: 'reasoning_text', text: THOUGHT }]
  })
  t.match(message, { type: 'message', content: [{ text: 'Fine.' }] })
  t.ok((whole.usage?.output_tokens_details.reasoning_tokens ?? 0) > 0)
  t.equal(whole.reasoning?.effort, 'low')
  let thoughts = ''
  const types: string[] = []
  for await (const event of await client.responses.create({ ...asked, stream: true })) {
    t.same(openAiErrors('ResponseStreamEvent', event), [], event.type)
    types.push(event.type)
    if (event.type === 'response.reasoning_text.delta') thoughts += event.delta
    if (event.type === 'response.completed')
      t.match(event.response.output, [{ type: 'reasoning' }, { type: 'message' }])
  }
  t.equal(thoughts, THOUGHT)
  t.ok(types.indexOf('response.reasoning_text.done') < types.indexOf('response.output_text.delta'))
  const next = await client.responses.create({ ...asked, previous_response_id: whole.id })
  t.equal(next.status, 'completed')
  t.match(prompt, `<think>${THOUGHT}</think>Fine.`)
})

t.test("Anthropic's clients get blocks of it when they ask for them", async t => {
  answers(ANSWERED)
  const client = new Anthropic({ baseURL: url, apiKey: 'none' })
  const asked = { model: 'thinks', max_tokens: 200, messages: [{ role: 'user' as const, content: 'hi' }] }
  const thinking = { type: 'enabled' as const, budget_tokens: 1024 }
  const message = await client.messages.stream({ ...asked, thinking }).finalMessage()
  t.match(message.content, [
    { type: 'thinking', thinking: THOUGHT, signature: '' },
    { type: 'text', text: 'Fine.' }
  ])
  t.match((await client.messages.create({ ...asked, thinking })).content[0], { type: 'thinking', thinking: THOUGHT })
  answers('Fine.')
  const plain = await client.messages.create(asked)
  t.match(plain.content, [{ type: 'text', text: 'Fine.' }])
  t.match(prompt, /<think><\/think>$/, 'who does not ask for thoughts has none made')
})

t.test("Ollama's client thinks", async t => {
  const client = new Ollama({ host: url })
  const messages = [{ role: 'user', content: 'hi' }]
  answers(ANSWERED)
  for (const think of [undefined, true, 'high'] as const) {
    const { message } = await client.chat({ model: 'thinks', messages, ...(think === undefined ? {} : { think }) })
    t.match(message, { content: 'Fine.', thinking: THOUGHT })
  }
  const { response, thinking } = await client.generate({ model: 'thinks', prompt: 'hi', think: true })
  t.strictSame([response, thinking], ['Fine.', THOUGHT])
  const said: string[] = []
  const thoughts: string[] = []
  for await (const { message } of await client.chat({ model: 'thinks', messages, think: true, stream: true })) {
    if (message.thinking) {
      t.equal(message.content + said.join(''), '', 'before the answer')
      thoughts.push(message.thinking)
    }
    said.push(message.content)
  }
  t.strictSame([said.join(''), thoughts.join('')], ['Fine.', THOUGHT])
  t.ok(thoughts.length > 1, 'piece by piece')
  const past = { role: 'assistant', content: 'Hello.', thinking: 'Be polite.' }
  await client.chat({ model: 'thinks', messages: [...messages, past, ...messages], think: true })
  t.match(prompt, '<think>Be polite.</think>Hello.')
  t.match((await client.show({ model: 'thinks' })).capabilities, ['completion', 'tools', 'thinking'])
})

t.test("Ollama's client does not want thoughts, or the model has none", async t => {
  answers('Fine.')
  const client = new Ollama({ host: url })
  const messages = [{ role: 'user', content: 'hi' }]
  const { message } = await client.chat({ model: 'thinks', messages, think: false })
  t.match(prompt, /<think><\/think>$/)
  t.match(message, { content: 'Fine.' })
  t.notOk('thinking' in message)
  const ignored = async (model: string, think: unknown) =>
    (await ask(model, { messages, think, stream: false }, '/api/chat')).headers.get('x-resultity-ignored-fields')
  t.equal(await ignored('thinks', false), null)
  t.equal(await ignored('begins', true), null)
  t.equal(await ignored('begins', false), 'think', 'a template that cannot be told')
  t.equal(await ignored('begins', 'high'), 'think')
  t.equal(await ignored('tiny-chat', false), null)
  await t.rejects(client.chat({ model: 'tiny-chat', messages, think: true }), {
    status_code: 400,
    message: /tiny-chat/
  })
  t.strictSame((await client.show({ model: 'tiny-chat' })).capabilities, ['completion', 'tools'])
})
