import { swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import type { ResponseStreamEvent } from 'openai/resources/responses/responses'
import { test } from 'tap'
import { eventually, meshNodes, slotsTaken } from './mesh-state.ts'

const QUESTION = 'What is the capital of France?'
const FRANCE = 'The capital of France is Paris.'
const ASK = { model: 'tiny-chat', input: QUESTION, temperature: 0 }
/** Goes on until it is stopped. */
const ENDLESS = { ...ASK, max_output_tokens: 480, ignore_eos: true }

async function collect(events: AsyncIterable<ResponseStreamEvent>): Promise<ResponseStreamEvent[]> {
  const all: ResponseStreamEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

for (const stages of [2, 3]) {
  test(`the official client on a model in ${stages} stages`, async t => {
    const swarm = await swarmFor(t, { nodes: stages, stages })
    const client = new OpenAI({ baseURL: `${swarm.url}/v1`, apiKey: 'none', maxRetries: 0 })
    const { responses } = client
    const replay = async (id: string, after?: number) => {
      const from = after === undefined ? {} : { starting_after: after }
      return await collect(await responses.retrieve(id, { stream: true, ...from }))
    }
    const endOf = async (id: string) => {
      return await eventually(
        'the response ends',
        () => responses.retrieve(id),
        ({ status }) => {
          return status !== 'queued' && status !== 'in_progress'
        }
      )
    }

    await t.test('whole, and gone on with', async t => {
      const first = await responses.create(ASK)
      t.equal(first.output_text, FRANCE)
      t.equal(first.status, 'completed')
      const second = await responses.create({ ...ASK, input: 'And of Italy?', previous_response_id: first.id })
      t.ok((second.usage?.input_tokens ?? 0) > (first.usage?.total_tokens ?? Number.POSITIVE_INFINITY))
      const items = await responses.inputItems.list(second.id, { order: 'asc' })
      t.equal(items.data.length, 3, 'question, answer, question')
      const { input_tokens: counted } = await responses.inputTokens.count({ model: 'tiny-chat', input: QUESTION })
      t.equal(counted, first.usage?.input_tokens)
    })

    await t.test('streamed, and again from every event on', async t => {
      const helper = responses.stream(ASK)
      const events = await collect(helper)
      const final = await helper.finalResponse()
      t.equal(final.output_text, FRANCE)
      const first = await replay(final.id)
      t.equal(first.length, events.length)
      const replays: ResponseStreamEvent[][] = []
      for (const after of first.keys()) replays.push(await replay(final.id, after))
      t.same(
        replays,
        first.map((_, after) => first.slice(after + 1)),
        'after each of them'
      )
      const resumed = await responses.stream({ response_id: final.id, starting_after: 3 }).finalResponse()
      t.equal(resumed.output_text, FRANCE)
    })

    await t.test('in the background: polled, or followed by whoever comes', async t => {
      const begun = await responses.create({ ...ASK, background: true })
      t.match(begun.status, /queued|in_progress/)
      t.equal((await endOf(begun.id)).output_text, FRANCE)
      const stream = await responses.create({ ...ASK, background: true, stream: true })
      let id = ''
      for await (const event of stream) {
        if (event.type !== 'response.created') continue
        id = event.response.id
        break
      }
      const rest = await replay(id, 0)
      t.equal(rest[0]?.sequence_number, 1)
      t.equal(rest.at(-1)?.type, 'response.completed')
    })

    await t.test('cancelled: every slot is free again', async t => {
      const ids: string[] = []
      /** The last that is at work. There are always more than slots: those that ended meanwhile are replaced. */
      const atWork = async (): Promise<string | undefined> => {
        const all = await Promise.all(ids.map(one => responses.retrieve(one)))
        const open = all.filter(({ status }) => status === 'queued' || status === 'in_progress')
        for (let count = open.length; count < 12; count++) {
          ids.push((await responses.create({ ...ENDLESS, background: true })).id)
        }
        return open.findLast(({ status }) => status === 'in_progress')?.id
      }
      // heartbeats tell of slots, and a single answer may be through before one does
      await eventually(
        'slots are taken',
        async () => {
          await atWork()
          return await meshNodes(swarm.url)
        },
        nodes => slotsTaken(nodes) > 0
      )
      const id = (await eventually('one is at work', atWork, found => found !== undefined)) ?? ''
      t.equal((await responses.cancel(id)).status, 'cancelled')
      for (const other of ids) await responses.cancel(other)
      t.equal((await responses.retrieve(id)).status, 'cancelled')
      await eventually(
        'the slots are free',
        () => meshNodes(swarm.url),
        nodes => slotsTaken(nodes) === 0
      )
      await responses.delete(id)
      await t.rejects(responses.retrieve(id), { message: /^404 / })
    })

    await t.test('texts are gone on with, several at once', async t => {
      const one = await client.completions.create({ model: 'tiny-chat', prompt: QUESTION, temperature: 0, echo: true })
      t.ok(one.choices[0]?.text.startsWith(QUESTION))
      const many = await client.completions.create({ model: 'tiny-chat', prompt: [QUESTION, QUESTION], temperature: 0 })
      t.equal(many.choices[0]?.text, many.choices[1]?.text)
      t.equal(QUESTION + (many.choices[0]?.text ?? ''), one.choices[0]?.text)
    })
  })
}
