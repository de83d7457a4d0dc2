import { readFile } from 'node:fs/promises'
import { swarmFor } from '@resultity/testkit'
import { test } from 'tap'
import { ask, askStreaming, routeRanges } from './chat-client.ts'

interface Golden {
  readonly prompt: string
  readonly completion: string
  readonly completion_ids: readonly number[]
}

const goldenPath = new URL('../../packages/model/models/tiny-chat/golden.json', import.meta.url)

test('every golden answer of tiny-chat comes through HTTP on 1, 2, 3 and 4 stages', { timeout: 240_000 }, async t => {
  const golden: Golden[] = JSON.parse(await readFile(goldenPath, 'utf8'))
  const swarm = await swarmFor(t, { nodes: 4, models: ['tiny-chat'] })

  for (const stages of [1, 2, 3, 4]) {
    await t.test(`${stages} stages`, async t => {
      for (const { prompt, completion, completion_ids } of golden) {
        const { answer, route } = await ask(swarm.url, {
          model: 'tiny-chat',
          messages: messagesOf(prompt),
          mesh: { stages }
        })
        t.equal(answer.choices[0]?.message.content, completion, completion)
        t.equal(answer.usage.completion_tokens, completion_ids.length + 1, 'the answer and its end token')
        t.equal(answer.choices[0]?.finish_reason, 'stop')
        const ranges = routeRanges(route)
        t.equal(ranges.length, stages)
        t.same([ranges[0]?.[0], ranges.at(-1)?.[1]], [0, 4])
      }
    })
  }

  await t.test('streamed answers are the same', async t => {
    for (const { prompt, completion } of golden) {
      const streamed = await askStreaming(swarm.url, {
        model: 'tiny-chat',
        messages: messagesOf(prompt),
        mesh: { stages: 3 }
      })
      t.same(streamed, { text: completion, finishReason: 'stop', error: undefined, done: true })
    }
  })
})

/** The messages that the chat template turned into `prompt`. */
function messagesOf(prompt: string): { role: string; content: string }[] {
  return [...prompt.matchAll(/<\|(system|user|assistant)\|>\n(.*?)<\|end\|>/gs)].map(match => ({
    role: match[1] ?? '',
    content: match[2] ?? ''
  }))
}
