import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import t from 'tap'
import { QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

// Models whose chat templates take only some conversations, as published ones do.

const TURN = "<|{{ m['role'] }}|>{{ m['content'] }}<|end|>"
const ANSWER = '{% if add_generation_prompt %}<|assistant|>{% endif %}'
const TEMPLATES = {
  alternating: `{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}${TURN}{% endfor %}${ANSWER}`,
  'system-first': `{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('System message must be at the beginning.') }}{% endif %}${TURN}{% endfor %}${ANSWER}`,
  parts: `{% for m in messages %}<|{{ m['role'] }}|>{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}<|end|>{% endfor %}${ANSWER}`,
  'no-prefill': `{% if messages[-1].role == 'assistant' %}{{ raise_exception('Ends with the assistant') }}{% endif %}{% for m in messages %}${TURN}{% endfor %}${ANSWER}`,
  'writes-nothing': `{% for m in messages %}{% if m.content != 'hi' %}${TURN}{% endif %}{% endfor %}`
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

const logged: string[] = []
const log = new Writable({
  write: (chunk, _encoding, done) => {
    logged.push(String(chunk))
    done()
  }
})
const mesh = await startScriptedMesh(1, {
  contextLength: 512,
  models: ['tiny-chat', ...Object.keys(TEMPLATES).map(name => `file:${join(directory, name)}`)],
  logger: pino({ level: 'warn' }, log)
})
t.teardown(() => mesh[Symbol.asyncDispose]())

const url = mesh.coordinator.httpUrl
const endToken = [...mesh.tokenizer.endTokenIds][0] ?? 0

/** Prompts of the answers that were asked for, as text. */
const prompts: string[] = []
mesh.ring.script = ({ prompt, sample }) => {
  prompts.push(mesh.tokenizer.decode(prompt))
  return sample([...mesh.tokenizer.encode('Fine.'), endToken], 'end_token')
}

async function ask(path: string, body: object) {
  const response = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) })
  return { status: response.status, body: await response.json() }
}

/** Asks until the model is placed. */
async function chat(model: string, messages: readonly object[], more: object = {}) {
  return await ask('/v1/chat/completions', { model, messages, mesh: { stages: 1 }, ...more })
}

const user = (content: string) => ({ role: 'user', content })
const system = (content: string) => ({ role: 'system', content })
const assistant = (content: string) => ({ role: 'assistant', content })
const tools = [{ type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } }]
const called = {
  role: 'assistant',
  content: null,
  tool_calls: [{ id: 'a', type: 'function', function: { name: 'now', arguments: '{}' } }]
}

t.test('every usual conversation is answered, whatever the template takes', async t => {
  const conversations: Record<string, readonly [readonly object[], object?]> = {
    'a system turn': [[system('s'), user('hi')]],
    'a developer turn': [[{ role: 'developer', content: 's' }, user('hi')]],
    'system turns, two and one later': [[system('s'), system('t'), user('hi'), assistant('x'), system('u'), user('y')]],
    'two users in a row': [[user('hi'), user('there')]],
    'two assistants in a row': [[user('hi'), assistant('x'), assistant('y'), user('z')]],
    'a greeting first': [[assistant('Hello.'), user('hi')]],
    'nothing but a system turn': [[system('s')]],
    tools: [[user('hi')], { tools }],
    'what a tool answered, and a user after it': [
      [user('hi'), called, { role: 'tool', tool_call_id: 'a', content: 'noon' }, user('and?')],
      { tools }
    ],
    'contents in parts': [[{ role: 'user', content: [{ type: 'text', text: 'hi' }] }]]
  }
  for (const model of ['alternating', 'system-first', 'parts']) {
    for (const [name, [messages, more]] of Object.entries(conversations)) {
      const { status, body } = await chat(model, messages, more)
      t.equal(status, 200, `${model}: ${name} ${JSON.stringify(body.error ?? '')}`)
    }
  }
})

t.test('what was said reaches the model, in its order', async t => {
  await chat('alternating', [system('Be brief.'), user('One.'), user('Two.')])
  t.match(prompts.at(-1), /Be brief\.\s+One\.\s+Two\./)
  await chat('system-first', [user('One.'), assistant('Two.'), system('Be brief.'), user('Three.')])
  t.match(prompts.at(-1), /One\..*Two\..*Be brief\.\s+Three\./s)
  await chat('parts', [system('Be brief.'), user('One.')])
  t.match(prompts.at(-1), /Be brief\..*One\./s)
})

t.test('instructions and judges are written too', async t => {
  const told = await ask('/v1/responses', { model: 'alternating', instructions: 'Be brief.', input: 'hi' })
  t.equal(told.status, 200, JSON.stringify(told.body.error))
  const judged = await ask('/v1/chat/completions', {
    ...QUESTION,
    models: ['alternating', 'tiny-chat'],
    judge: { model: 'alternating', mode: 'merge' }
  })
  t.equal(judged.status, 200, JSON.stringify(judged.body.error))
})

t.test('what a template cannot be given is refused in its words, and was said when the model was loaded', async t => {
  const refused = await chat('no-prefill', [user('hi'), assistant('x')])
  t.equal(refused.status, 400)
  t.match(refused.body.error, { code: 'invalid_request', param: 'messages', message: /Ends with the assistant/ })
  for (const [path, body] of [
    ['/v1/chat/completions', { messages: [user('hi')] }],
    ['/v1/responses', { input: 'hi' }],
    ['/v1/responses/input_tokens', { input: 'hi' }]
  ] as const) {
    const empty = await ask(path, { model: 'writes-nothing', ...body })
    t.equal(empty.status, 400, path)
    t.match(empty.body.error, { message: /writes nothing of these messages/ }, path)
  }
  t.match(logged.join(''), /"model":"no-prefill".*ends? with a turn of the assistant/)
})
