import { swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import type { ResponseStreamEvent } from 'openai/resources/responses/responses'
import { test } from 'tap'

const ASK = { model: 'tiny-chat', input: 'What is the capital of France?', temperature: 0 }
/** Goes on until it is stopped. */
const ENDLESS = { ...ASK, max_output_tokens: 480, ignore_eos: true }

async function collect(events: AsyncIterable<ResponseStreamEvent>): Promise<ResponseStreamEvent[]> {
  const all: ResponseStreamEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

test('responses survive the coordinator, and one that was cut off goes on', async t => {
  const swarm = await swarmFor(t, { nodes: 2, stages: 2 })
  const { responses } = new OpenAI({ baseURL: `${swarm.url}/v1`, apiKey: 'none', maxRetries: 0 })
  const done = await responses.create({ ...ASK, store: true })
  const events = await collect(await responses.retrieve(done.id, { stream: true }))
  const running = await responses.create({ ...ENDLESS, background: true, stream: true })
  const seen: ResponseStreamEvent[] = []
  for await (const event of running) {
    seen.push(event)
    if (seen.filter(({ type }) => type === 'response.output_text.delta').length === 5) break
  }
  await swarm.restartCoordinator('SIGKILL')
  await swarm.untilNodes(2)
  const { output_text: _, ...before } = done
  t.match(await responses.retrieve(done.id), before, 'what was finished is as it was')
  t.same(await collect(await responses.retrieve(done.id, { stream: true })), events)
  const [created] = seen
  const id = created?.type === 'response.created' ? created.response.id : ''
  const after = seen.at(-1)?.sequence_number ?? 0
  const rest = await collect(await responses.retrieve(id, { stream: true, starting_after: after }))
  t.same(
    rest.map(event => event.sequence_number),
    rest.map((_, index) => after + 1 + index),
    'nothing is lost and nothing comes twice'
  )
  const last = rest.at(-1)
  t.equal(last?.type, 'response.incomplete')
  const text = [...seen, ...rest]
    .map(event => (event.type === 'response.output_text.delta' ? event.delta : ''))
    .join('')
  t.equal((await responses.retrieve(id)).output_text, text, 'and the pieces are the whole')
})
