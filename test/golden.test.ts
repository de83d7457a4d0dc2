import { readFile } from 'node:fs/promises'
import { type Swarm, swarmFor } from '@resultity/testkit'
import { type Test, test } from 'tap'
import { ask, askStreaming, type ChatBody, routeRanges } from './chat-client.ts'
import { inParallel } from './in-parallel.ts'

interface Golden {
  readonly prompt: string
  readonly completion: string
  readonly completion_ids: readonly number[]
}

/** Slots of a stage by default. */
const SESSIONS = 4

const goldenPath = new URL('../../packages/model/models/tiny-chat/golden.json', import.meta.url)

test('the golden answers of tiny-chat come through HTTP on 1, 2, 3 and 4 stages, streamed or not', async t => {
  const golden: Golden[] = JSON.parse(await readFile(goldenPath, 'utf8'))
  const swarm = await swarmFor(t, { nodes: 4, models: ['tiny-chat'] })

  for (const stages of [1, 2, 3, 4]) {
    await t.test(`${stages} stages`, async t => {
      // each is asked for on two numbers of stages, and streamed on one of them
      const asked = [...golden.entries()].filter(([index]) => (index + stages) % 2 === 0)
      await inParallel(asked, SESSIONS, ([index, entry]) =>
        (index + stages) % 4 === 0 ? askWhole(t, swarm, entry, stages) : askPieces(t, swarm, entry, stages)
      )
    })
  }
})

async function askWhole(t: Test, swarm: Swarm, golden: Golden, stages: number): Promise<void> {
  const { answer, route } = await ask(swarm.url, bodyOf(golden, stages))
  t.equal(answer.choices[0]?.message.content, golden.completion, golden.completion)
  t.equal(answer.usage.completion_tokens, golden.completion_ids.length + 1, 'the answer and its end token')
  t.equal(answer.choices[0]?.finish_reason, 'stop')
  checkRoute(t, route, stages)
}

async function askPieces(t: Test, swarm: Swarm, golden: Golden, stages: number): Promise<void> {
  const { route, ...streamed } = await askStreaming(swarm.url, bodyOf(golden, stages))
  t.same(streamed, { text: golden.completion, finishReason: 'stop', error: undefined, done: true }, golden.completion)
  checkRoute(t, route, stages)
}

function checkRoute(t: Test, route: string, stages: number): void {
  const ranges = routeRanges(route)
  t.equal(ranges.length, stages)
  t.same([ranges[0]?.[0], ranges.at(-1)?.[1]], [0, 4])
}

function bodyOf({ prompt }: Golden, stages: number): ChatBody {
  return { model: 'tiny-chat', messages: messagesOf(prompt), mesh: { stages } }
}

/** The messages that the chat template turned into `prompt`. */
function messagesOf(prompt: string): { role: string; content: string }[] {
  return [...prompt.matchAll(/<\|(system|user|assistant)\|>\n(.*?)<\|end\|>/gs)].map(match => ({
    role: match[1] ?? '',
    content: match[2] ?? ''
  }))
}
