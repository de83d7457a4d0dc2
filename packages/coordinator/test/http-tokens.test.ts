import t from 'tap'
import { startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(1)
t.teardown(() => mesh[Symbol.asyncDispose]())
const { tokenizer } = mesh
const TEXT = 'The capital of France is Paris.'
const QUESTION = 'What is <|end|> this?'
const messages = [{ role: 'user', content: QUESTION }]
const PROMPT = `<s><|user|>\n${QUESTION}<|end|>\n<|assistant|>\n`

async function call(path: string, body?: object) {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(`${mesh.coordinator.httpUrl}${path}`, init)
  return { status: response.status, body: await response.json() }
}

t.test('a text becomes the tokens that the model reads, and they the text', async t => {
  const ids = tokenizer.encode(TEXT)
  const { beginTokenIds } = tokenizer
  const { body } = await call('/tokenize', { model: 'tiny-chat', prompt: TEXT, return_token_strs: true })
  t.match(body, { count: body.tokens.length, max_model_len: 512, tokens: [...beginTokenIds, ...ids] })
  t.same(
    body.token_strs,
    body.tokens.map((id: number) => tokenizer.nameOf(id))
  )
  t.match(await call('/tokenize', { prompt: TEXT, add_special_tokens: false }), {
    body: { tokens: ids, token_strs: null }
  })
  t.match(await call('/tokenize', { content: TEXT }), { body: { tokens: ids } }, 'as llama.cpp is asked')
  t.match(await call('/tokenize', { prompt: '' }), { status: 200, body: { count: beginTokenIds.length } })
  t.same((await call('/detokenize', { tokens: ids })).body, { prompt: TEXT, content: TEXT })
  t.same((await call('/detokenize', { tokens: [] })).body.prompt, '')
  t.equal((await call('/detokenize', { tokens: tokenizer.encode('a<|end|>\n🙂') })).body.prompt, 'a<|end|>\n🙂')
})

t.test('a conversation becomes what a chat completion of it begins with', async t => {
  let read: readonly number[] = []
  mesh.ring.script = ({ sample, prompt }) => {
    read = prompt
    return sample([5], 'tokens_max')
  }
  const conversation = { model: 'tiny-chat', messages }
  await (await mesh.post({ ...conversation, max_tokens: 1 })).text()
  const { body } = await call('/tokenize', conversation)
  t.same(body.tokens, read)
  t.equal((await call('/apply-template', conversation)).body.prompt, PROMPT)
  const open = { ...conversation, add_generation_prompt: false }
  t.equal((await call('/apply-template', open)).body.prompt, PROMPT.replace('<|assistant|>\n', ''))
  t.ok((await call('/tokenize', open)).body.count < body.count)
  const tools = [{ type: 'function', function: { name: 'look' } }]
  t.match((await call('/apply-template', { ...conversation, tools })).body.prompt, /"look"/)
  const { prompt } = (await call('/apply-template', { messages: [{ role: 'user', content: 'long '.repeat(1300) }] }))
    .body
  t.equal(prompt.length, PROMPT.length - QUESTION.length + 6500, 'one that goes to the thread')
})

t.test('the tokenizer is described', async t => {
  const { body } = await call('/tokenizer_info?model=tiny-chat')
  t.match(body, { model: 'tiny-chat', bos_token: '<s>', model_max_length: 512, chat_template: /<\|assistant\|>/ })
  t.same((await call('/tokenizer_info')).body, body)
})

t.test('what is wrong is refused by its name', async t => {
  const cases: readonly (readonly [path: string, body: object, code: string, param: string])[] = [
    ['/tokenize', {}, 'invalid_request', 'prompt'],
    ['/tokenize', { prompt: 'a', messages }, 'invalid_request', 'messages'],
    ['/tokenize', { prompt: 5 }, 'invalid_request', 'prompt'],
    ['/tokenize', { prompt: 'word '.repeat(20_000) }, 'context_length_exceeded', 'prompt'],
    ['/tokenize', { content: 'word '.repeat(20_000) }, 'context_length_exceeded', 'content'],
    ['/tokenize', { model: 'other', prompt: 'a' }, 'model_not_found', 'model'],
    ['/detokenize', { tokens: [1, 1_000_000] }, 'invalid_request', 'tokens[1]'],
    ['/detokenize', { tokens: [-1] }, 'invalid_request', 'tokens[0]'],
    ['/detokenize', {}, 'invalid_request', 'tokens'],
    ['/apply-template', { messages: [] }, 'invalid_request', 'messages'],
    [
      '/apply-template',
      { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      'invalid_request',
      'messages[0].content[0].type'
    ]
  ]
  for (const [path, body, code, param] of cases) {
    const { status, body: answer } = await call(path, body)
    t.equal(status, code === 'model_not_found' ? 404 : 400, `${path} ${param}`)
    t.match(answer, { error: { code, param } }, `${path} ${param}`)
  }
})
