import { swarmFor } from '@resultity/testkit'
import t from 'tap'
import { ask, askStreaming, postChat, routeRanges } from './chat-client.ts'
import { MODEL, questions } from './conformance/questions.ts'
import { eventually } from './mesh-state.ts'

/** Every type of request once, on a model that three processes share. What each can do beyond that is tested elsewhere. */

const [first, second] = await questions()
const { url } = await swarmFor(t, { nodes: 3, stages: 3, models: [MODEL] })
const body = { model: MODEL, messages: [{ role: 'user', content: first.question }], temperature: 0 }

async function json(path: string, init: RequestInit = {}) {
  const response = await fetch(`${url}${path}`, init)
  return { status: response.status, headers: response.headers, body: await response.json() }
}

const post = (path: string, fields: object) => json(path, { method: 'POST', body: JSON.stringify(fields) })

t.test('synchronous: chat, a response, a message, a completion', async t => {
  const { answer, route } = await ask(url, body)
  t.equal(answer.choices[0]?.message.content, first.answer)
  t.equal(routeRanges(route).length, 3)
  const response = await post('/v1/responses', { model: MODEL, input: first.question, temperature: 0 })
  t.equal(response.body.output[0].content[0].text, first.answer)
  const messages = [{ role: 'user', content: first.question }]
  const message = await post('/v1/messages', { model: MODEL, max_tokens: 60, messages, temperature: 0 })
  t.equal(message.body.content[0].text, first.answer)
  const prompt = `<s><|user|>\n${first.question}<|end|>\n<|assistant|>\n`
  const completion = await post('/v1/completions', { model: MODEL, prompt, temperature: 0, max_tokens: 60 })
  t.equal(completion.body.choices[0].text, first.answer)
  for (const { headers } of [response, message, completion]) {
    t.equal(routeRanges(headers.get('x-resultity-route') ?? '').length, 3)
  }
})

t.test('streaming: as it comes, and again from any event on', async t => {
  t.match(await askStreaming(url, body), { text: first.answer, finishReason: 'stop', done: true })
  const accepted = await post('/v1/chat/completions?async=true', { ...body, stream: true })
  const events = `${url}/v1/requests/${accepted.body.request_id}/events`
  const whole = await (await fetch(events)).text()
  const ids = [...whole.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
  t.same(
    ids,
    ids.map((_, index) => index + 1),
    'numbered without a gap'
  )
  const middle = Math.floor(ids.length / 2)
  const rest = await (await fetch(events, { headers: { 'last-event-id': String(middle) } })).text()
  t.ok(whole.endsWith(rest.replace(/^: ping\n\n/, '')), 'the rest is what came after it')
  t.equal(/^id: (\d+)$/m.exec(rest)?.[1], String(middle + 1))
})

t.test('polling: acknowledged, looked at, fetched', async t => {
  const accepted = await post('/v1/chat/completions?async=true', body)
  t.equal(accepted.status, 202)
  const { request_id: id, status_url: statusUrl } = accepted.body
  t.equal(accepted.headers.get('location'), statusUrl)
  const state = await eventually(
    'the request has ended',
    () => json(`/v1/requests/${id}`),
    ({ body }) => body.status === 'succeeded'
  )
  t.equal(state.body.id, id)
  const result = await json(`/v1/requests/${id}/result`)
  t.equal(result.body.choices[0].message.content, first.answer)
})

t.test('batch: several in one call, one of them wrong', async t => {
  const line = (id: string, question: string) => ({
    custom_id: id,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { ...body, messages: [{ role: 'user', content: question }] }
  })
  const wrong = { ...line('wrong', ''), body: { model: MODEL, messages: [] } }
  const { body: answer } = await post('/v1/batch', {
    requests: [line('a', first.question), wrong, line('b', second.question)]
  })
  const [a, refused, b] = answer.responses
  t.equal(a.response.body.choices[0].message.content, first.answer)
  t.equal(b.response.body.choices[0].message.content, second.answer)
  t.match(refused, { custom_id: 'wrong', response: { status_code: 400 } })
})

t.test('multimodel: every answer, with who made it', async t => {
  const { body: answer } = await post('/v1/chat/completions', { ...body, models: [MODEL, MODEL], strategy: 'all' })
  t.same(
    answer.choices.map((choice: { message: { content: string } }) => choice.message.content),
    [first.answer, first.answer]
  )
  for (const { model, route } of answer.mesh.models)
    t.match({ model, stages: route.length }, { model: MODEL, stages: 3 })
})

t.test('multinode: as many stages as asked for, and the same answer', async t => {
  for (const stages of [2, 3]) {
    const response = await postChat(url, { ...body, mesh: { stages } })
    t.equal(routeRanges(response.headers.get('x-resultity-route') ?? '').length, stages)
    t.equal((await response.json()).choices[0].message.content, first.answer)
  }
})
