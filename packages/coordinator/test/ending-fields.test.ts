import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

// Fields of vLLM that say where an answer ends, and where a prompt does.

const mesh = await startScriptedMesh(1)
t.teardown(() => mesh[Symbol.asyncDispose]())
const { tokenizer } = mesh
const [endToken = 0] = tokenizer.endTokenIds
const COMPLETIONS = '/v1/completions'
const RESPONSES = '/v1/responses'
const bodies = {
  [CHAT]: QUESTION,
  [COMPLETIONS]: { model: 'tiny-chat', prompt: 'x', max_tokens: 40 },
  [RESPONSES]: { model: 'tiny-chat', input: 'x' }
}
type Path = keyof typeof bodies
const paths = Object.keys(bodies) as Path[]

let open: Ring['open'] | undefined
let prompt = ''
function script(ids: readonly number[]): void {
  mesh.ring.script = ring => {
    open = ring.open
    prompt = ring.prompt.map(id => tokenizer.decode([id])).join('')
    return ring.sample([...ids], 'end_token')
  }
}

async function ask(path: Path, fields: object) {
  const response = await fetch(`${mesh.coordinator.httpUrl}${path}`, {
    method: 'POST',
    body: JSON.stringify({ ...bodies[path], ...fields })
  })
  const body = await response.json()
  const [choice] = body.choices ?? []
  const text = choice?.message?.content ?? choice?.text ?? body.output?.[0]?.content[0].text
  return { status: response.status, text, error: body.error }
}

const words = tokenizer.encode('one two three')
const last = words.at(-1) ?? 0
const before = tokenizer.decode(words.slice(0, -1))

t.test('stop_token_ids end an answer, which has their text only where that is asked for', async t => {
  for (const path of paths) {
    script(words)
    t.match(await ask(path, { stop_token_ids: [last, last] }), { status: 200, text: before }, path)
    t.same(open?.endTokens, [...tokenizer.endTokenIds, last], path)
    const included = { stop_token_ids: [last], include_stop_str_in_output: true, ignore_eos: true }
    t.match(await ask(path, included), { status: 200, text: 'one two three' }, path)
    t.same(open?.endTokens, [last], 'ignore_eos lets go of the model alone')
  }
})

t.test('stop strings: up to 16, with themselves where that is asked for', async t => {
  script([...words, endToken])
  const stop = [...Array.from({ length: 15 }, (_, index) => `x${index}`), 'wo']
  for (const path of paths) {
    t.match(await ask(path, { stop }), { status: 200, text: 'one t' }, path)
    t.match(await ask(path, { stop, include_stop_str_in_output: true }), { status: 200, text: 'one two' }, path)
    t.match(await ask(path, { stop: [...stop, 'y'] }), { status: 400, error: { param: 'stop' } }, path)
  }
})

t.test('min_tokens: the last stage is told, an end before is a breach, and stop strings wait', async t => {
  script([...words, endToken])
  for (const path of paths) {
    t.match(await ask(path, { min_tokens: 2 }), { status: 200, text: 'one two three' }, path)
    t.equal(open?.tokensMin, 2, path)
    t.match(await ask(path, { min_tokens: words.length, stop: 'one' }), { status: 200, text: 'one two three' }, path)
    const early = await ask(path, { min_tokens: words.length + 1 })
    t.match(early, { status: 502, error: { code: 'protocol_violation' } }, path)
    await ask(path, { min_tokens: 0 })
    t.equal(open?.tokensMin, undefined, path)
  }
})

t.test('what the rest of the request leaves no room for is refused', async t => {
  const object = { response_format: { type: 'json_object' } }
  const cases: readonly (readonly [Path, object, string])[] = [
    [CHAT, { max_tokens: 3, min_tokens: 4 }, 'min_tokens'],
    [COMPLETIONS, { max_tokens: 3, min_tokens: 4 }, 'min_tokens'],
    [CHAT, { min_tokens: -1 }, 'min_tokens'],
    [CHAT, { stop_token_ids: [1_000_000] }, 'stop_token_ids'],
    [CHAT, { stop_token_ids: Array(17).fill(1) }, 'stop_token_ids'],
    [CHAT, { ...object, stop_token_ids: [1] }, 'stop_token_ids'],
    [COMPLETIONS, { ...object, min_tokens: 1 }, 'min_tokens'],
    [CHAT, { continue_final_message: true }, 'continue_final_message'],
    [CHAT, { continue_final_message: true, add_generation_prompt: true }, 'add_generation_prompt'],
    [CHAT, { chat_template_kwargs: { messages: [] } }, 'chat_template_kwargs'],
    [CHAT, { chat_template_kwargs: { a: 'x'.repeat(20_000) } }, 'chat_template_kwargs'],
    [
      CHAT,
      { chat_template_kwargs: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [n, 0])) },
      'chat_template_kwargs'
    ]
  ]
  for (const [path, fields, param] of cases) {
    t.match(await ask(path, fields), { status: 400, error: { param } }, JSON.stringify(fields).slice(0, 80))
  }
})

t.test('a conversation ends as its template is told to', async t => {
  script([...words, endToken])
  await ask(CHAT, { chat_template_kwargs: { enable_thinking: false } })
  const whole = prompt
  await ask(CHAT, { add_generation_prompt: false })
  t.ok(whole.startsWith(prompt) && prompt.length < whole.length, 'without the head of an answer')
  const messages = [...QUESTION.messages, { role: 'assistant', content: 'It is' }]
  await ask(CHAT, { messages, continue_final_message: true })
  t.match(prompt, /It is$/)
  await ask(RESPONSES, { input: messages, continue_final_message: true })
  t.match(prompt, /It is$/)
})
