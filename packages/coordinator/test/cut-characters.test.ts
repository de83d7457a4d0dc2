import t from 'tap'
import { CHAT, QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

// An answer that reaches its token limit in the midst of a character ends before it.

const mesh = await startScriptedMesh(1)
t.teardown(() => mesh[Symbol.asyncDispose]())
const { httpUrl } = mesh.coordinator

const ANSWER = 'Hi 👍🏽é'
const ids = mesh.tokenizer.encode(ANSWER)
mesh.ring.script = ({ open, sample }) => sample(ids.slice(0, open.tokensMax), 'tokens_max')

/** What the first so many tokens certainly say. */
function certain(count: number): string {
  const decoder = mesh.tokenizer.decoder()
  return ids
    .slice(0, count)
    .map(id => decoder.push(id))
    .join('')
}

async function post(path: string, body: object): Promise<Response> {
  const response = await fetch(`${httpUrl}${path}`, {
    method: 'POST',
    body: JSON.stringify({ model: 'tiny-chat', ...body })
  })
  if (!response.ok) throw new Error(await response.text())
  return response
}

t.test('nothing of a character that is cut off is in the text, on any route, streamed or not', async t => {
  t.ok(ids.length > [...ANSWER].length, 'some of its characters have several tokens')
  for (let count = 1; count <= ids.length; count++) {
    const expected = certain(count)
    t.notMatch(expected, /\ufffd/)
    const chat = await (await post(CHAT, { ...QUESTION, max_tokens: count, logprobs: true })).json()
    t.equal(chat.choices[0].message.content, expected, `chat of ${count}`)
    t.equal(chat.choices[0].finish_reason, 'length')
    t.equal(chat.choices[0].logprobs.content.length, count, 'each token has its probability')
    t.equal(chat.usage.completion_tokens, count)
    const events = await readEvents(await post(CHAT, { ...QUESTION, max_tokens: count, stream: true }))
    const deltas = events.slice(0, -1).map(event => JSON.parse(event).choices[0].delta.content ?? '')
    t.equal(deltas.join(''), expected, `chat of ${count}, streamed`)
    const completion = await (await post('/v1/completions', { prompt: 'x', max_tokens: count })).json()
    t.equal(completion.choices[0].text, expected, `completion of ${count}`)
    const response = await (await post('/v1/responses', { input: 'x', max_output_tokens: count })).json()
    const text = response.output[0]?.content[0].text ?? ''
    t.equal(text, expected, `response of ${count}`)
  }
})

t.test('an answer that ends by itself shows what it was, broken or not', async t => {
  const [endToken = 0] = mesh.tokenizer.endTokenIds
  const broken = ids.slice(0, ids.length - 1)
  mesh.ring.script = ({ sample }) => sample([...broken, endToken], 'end_token')
  const { choices } = await (await post(CHAT, QUESTION)).json()
  t.equal(choices[0].message.content, mesh.tokenizer.decode(broken))
  t.match(choices[0].message.content, /\ufffd$/)
})
