import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { swarmFor } from '@resultity/testkit'
import t from 'tap'
import { ask, askStreaming, type ChatBody, postChat } from './chat-client.ts'

const tinyChat = fileURLToPath(new URL('../../packages/model/models/tiny-chat', import.meta.url))

// the same weights under another name: what one says the other says, and whatever decides between them is known
const directory = t.testdir()
const twin = join(directory, 'twin')
await cp(tinyChat, twin, { recursive: true })

const swarm = await swarmFor(t, {
  nodes: 3,
  models: ['tiny-chat', `file:${twin}`],
  coordinatorArgs: ['--alias=panel=vote:tiny-chat+twin', '--alias=gpt-4o=tiny-chat']
})

const question: ChatBody = {
  model: 'tiny-chat',
  messages: [{ role: 'user', content: 'What is the capital of France?' }]
}
const models = ['tiny-chat', 'twin']
const ANSWER = 'The capital of France is Paris.'

/** Asks two models that are both split over the nodes. */
async function askModels(fields: object) {
  const response = await postChat(swarm.url, { ...question, temperature: 0, models, ...fields })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`status ${response.status}: ${text}`)
  return JSON.parse(text)
}

t.test('two models that are split over three nodes answer together, by every strategy', async t => {
  const { answer } = await ask(swarm.url, question)
  t.equal(answer.choices[0]?.message.content, ANSWER)
  const expected = { all: 2, fastest: 1, fallback: 1, vote: 1, judge: 1 }
  for (const [strategy, count] of Object.entries(expected)) {
    const judge = strategy === 'judge' ? { judge: { model: 'twin' } } : {}
    const body = await askModels({ strategy, ...judge })
    t.same(
      body.choices.map((choice: { message: { content: string } }) => choice.message.content),
      Array(count).fill(ANSWER),
      strategy
    )
    const answered = body.mesh.models.filter((one: { status: string }) => one.status === 'succeeded')
    // of the fastest, one or more have answered
    t.ok(
      answered.every(({ route }: { route: object[] }) => route.length === 3),
      `${strategy}: every model is on three stages`
    )
    const tokens = answered.map((one: { usage: { total_tokens: number } }) => one.usage.total_tokens)
    t.equal(
      body.usage.total_tokens,
      tokens.reduce((sum: number, one: number) => sum + one, 0),
      `${strategy}: usage`
    )
  }
  t.equal((await askModels({ strategy: 'vote' })).mesh.vote.ballots[0].votes, 2)
  const { judge } = (await askModels({ judge: { model: 'twin' } })).mesh
  t.ok(judge.picked === 0 || judge.picked === 1, 'even this small a judge names an answer: it is held to')
})

t.test('an ensemble is streamed to clients that know nothing of it', async t => {
  for (const model of ['panel', 'gpt-4o']) {
    const { text, finishReason, done } = await askStreaming(swarm.url, { ...question, model })
    t.match({ text, finishReason, done }, { text: ANSWER, finishReason: 'stop', done: true }, model)
  }
  const fallback = await askStreaming(swarm.url, { ...question, models })
  t.equal(fallback.text, ANSWER)
})

t.test('a killed coordinator takes an ensemble up where it was, and asks no model twice', async t => {
  const url = swarm.url
  const body = { ...question, temperature: 0, strategy: 'all', models, ignore_eos: true, max_tokens: 300 }
  const undisturbed = await (await postChat(url, body)).json()
  const response = await fetch(`${url}/v1/chat/completions?async=true`, { method: 'POST', body: JSON.stringify(body) })
  const { id } = await response.json()
  // the log grows once both models answer
  const events = await fetch(`${url}/v1/requests/${id}/events`)
  for await (const piece of events.body ?? []) if (Buffer.from(piece).includes('event: started')) break
  await swarm.restartCoordinator('SIGKILL')
  await swarm.untilNodes(3)
  const log = await (await fetch(`${url}/v1/requests/${id}/events`)).text()
  t.match(log, /event: succeeded/)
  const result = await (await fetch(`${url}/v1/requests/${id}/result`)).json()
  t.same(
    result.choices.map((choice: { message: object }) => choice.message),
    undisturbed.choices.map((choice: { message: object }) => choice.message)
  )
  t.equal(result.usage.total_tokens, undisturbed.usage.total_tokens)
})
