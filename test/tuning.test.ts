import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { swarmFor } from '@resultity/testkit'
import { test } from 'tap'
import { ask, askStreaming, type ChatBody } from './chat-client.ts'
import { inParallel } from './in-parallel.ts'

interface Golden {
  readonly prompt: string
  readonly completion: string
}

/** Of the golden ones; test/golden.test.ts has them all. */
const ANSWERS = 24

const goldenPath = new URL('../../packages/model/models/tiny-chat/golden.json', import.meta.url)

/** Threads of a process that may run on one CPU only. */
async function boundThreads(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`)
  const texts = threads.map(thread => readFile(`/proc/${pid}/task/${thread}/status`, 'utf8').catch(() => ''))
  return (await Promise.all(texts)).filter(text => /^Cpus_allowed_list:\s*\d+$/m.test(text)).length
}

test('a mesh without tuning gives the golden answers, and leaves its threads where the system puts them', async t => {
  const golden: Golden[] = JSON.parse(await readFile(goldenPath, 'utf8'))
  // as many threads as CPUs: with tuning, each would be bound to one
  const threads = availableParallelism()
  const swarm = await swarmFor(t, { nodes: 2, threads, env: { RESULTITY_TUNING: 'off' } })
  await inParallel([...golden.slice(0, ANSWERS).entries()], 4, async ([index, { prompt, completion }]) => {
    const body: ChatBody = { model: 'tiny-chat', messages: messagesOf(prompt), mesh: { stages: 2 } }
    if (index % 2 === 0) t.equal((await ask(swarm.url, body)).answer.choices[0]?.message.content, completion)
    else t.equal((await askStreaming(swarm.url, body)).text, completion)
  })
  if (process.platform !== 'linux' || threads < 2) return
  for (const { name, pid } of swarm.nodes) t.equal(await boundThreads(pid), 0, name)
})

/** The messages that the chat template turned into `prompt`. */
function messagesOf(prompt: string): { role: string; content: string }[] {
  return [...prompt.matchAll(/<\|(system|user|assistant)\|>\n(.*?)<\|end\|>/gs)].map(match => ({
    role: match[1] ?? '',
    content: match[2] ?? ''
  }))
}
