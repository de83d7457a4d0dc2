import { setTimeout } from 'node:timers/promises'
import { residentBytes, swarmFor } from '@resultity/testkit'
import { type Test, test } from 'tap'
import { ask, askStreaming, routeRanges } from './chat-client.ts'
import { inParallel } from './in-parallel.ts'

/**
 * Past every prompt's end. A difference between cuts shows in the log-probabilities of the first tokens, to the last bit, long
 * before it makes another token the likeliest.
 */
const TOKENS = 12
const TOP_TOKENS = 5
/** Slots of a stage by default. */
const SESSIONS = 4
/**
 * It comes to 190 to 245 MB, to 30 MB more where it keeps the code of its start, and to 70 more where it keeps what the import
 * freed. Some minutes later V8 collects another 40 to 60 MB: to wait for that shows nothing of the import.
 */
const RESIDENT_MAX = 260e6
/** V8 lets go of the pages of a thread that has ended some seconds later. */
const GIVE_UP_MS = 300_000

/** Short and long, beyond one chunk of a prompt, in words, numbers, code and characters of several bytes. */
const prompts = [
  'Hi.',
  'What is the capital of France?',
  'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n',
  'Ünïcödé, emoji 🙂 and 漢字 in one prompt: what do you see?',
  `Continue this story. ${'The old lighthouse keeper climbed the stairs, lit the lamp and looked out over the waves. '.repeat(4)}`,
  `Find the odd one out: ${Array.from({ length: 16 }, (_, i) => `item-${i * 37}`).join(', ')}`,
  `Here is a long note. ${'Meeting at nine, lunch at noon, train at five, dinner at eight; bring the blue folder. '.repeat(16)} When is lunch?`
]

test('SmolLM2 answers the same on 1, 2, 3 and 5 stages, streamed or not', async (t: Test) => {
  const swarm = await swarmFor(t, { nodes: 5, models: ['smollm2-135m'] })
  const served: { data: { id: string }[] } = await (await fetch(`${swarm.url}/v1/models`)).json()
  const model = served.data[0]?.id ?? ''
  if (!model.toLowerCase().includes('smollm2')) {
    t.plan(0, 'no source of SmolLM2 answered on this machine')
    return
  }

  await t.test('a coordinator that has imported it gives back what that took', async t => {
    const { pid } = swarm.coordinator
    const resident = (): Promise<number> => residentBytes(pid)
    const giveUpAt = Date.now() + GIVE_UP_MS
    while ((await resident()) > RESIDENT_MAX && Date.now() < giveUpAt) await setTimeout(500)
    t.ok((await resident()) <= RESIDENT_MAX, `${await resident()} bytes`)
  })

  const body = (prompt: string, stages: number) => ({
    model,
    messages: [{ role: 'user', content: prompt }],
    max_tokens: TOKENS,
    ignore_eos: true,
    mesh: { stages }
  })
  // as many at once as a stage has slots: sessions beside each other must not touch
  const askAll = <T>(run: (prompt: string) => Promise<T>): Promise<T[]> => inParallel(prompts, SESSIONS, run)
  /** With the numbers that its tokens were chosen by. */
  const askWhole = async (prompt: string, stages: number) => {
    const asked = { ...body(prompt, stages), logprobs: true, top_logprobs: TOP_TOKENS }
    const { answer, route } = await ask(swarm.url, asked)
    const [choice] = answer.choices
    return { text: choice?.message.content ?? '', logprobs: choice?.logprobs?.content ?? [], route }
  }
  const alone = await askAll(async prompt => {
    const answer = await askWhole(prompt, 1)
    t.equal(answer.logprobs.length, TOKENS)
    return answer
  })
  t.ok(new Set(alone.map(({ text }) => text)).size > prompts.length / 2, 'the answers differ from prompt to prompt')

  // every prompt is streamed on some of them and not on others: half of each, and the other half on an even number
  const isStreamed = (prompt: string, stages: number): boolean => (prompts.indexOf(prompt) + stages) % 2 === 0
  for (const stages of [2, 3, 5]) {
    await askAll(async prompt => {
      const wanted = alone[prompts.indexOf(prompt)]
      const text = wanted?.text
      const about = `${stages} stages: ${prompt.slice(0, 40)}`
      if (isStreamed(prompt, stages)) {
        const { route, ...answer } = await askStreaming(swarm.url, body(prompt, stages))
        t.same(answer, { text, finishReason: 'length', error: undefined, done: true }, `${about}, streamed`)
        t.equal(routeRanges(route).length, stages)
      } else {
        const { route, ...answer } = await askWhole(prompt, stages)
        t.same(answer, { text, logprobs: wanted?.logprobs }, about)
        t.equal(routeRanges(route).length, stages)
      }
    })
  }
})
