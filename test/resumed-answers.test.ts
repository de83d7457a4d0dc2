import { addShapedNode, type ShapedNode, type Swarm, swarmFor } from '@resultity/testkit'
import { type Test, test } from 'tap'
import { logOf, submit, type Taken } from './crash-client.ts'
import type { Work } from './crash-works.ts'
import { type KeptTokens, keptTokens, leastKept } from './kept-tokens.ts'
import { eventually, meshNodes, slotsTaken } from './mesh-state.ts'

/** So many tokens of every choice are stored before the coordinator is killed. */
const KEPT_MIN = 24

const CHAT = '/v1/chat/completions'
const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const endless = { model: 'tiny-chat', messages, max_tokens: 280, ignore_eos: true, temperature: 0 }
const drawn = { ...endless, temperature: 1.1, seed: 7, frequency_penalty: 0.4, repetition_penalty: 1.1 }
const numbers = { type: 'array', items: { type: 'integer', minimum: 0, maximum: 99 }, minItems: 80, maxItems: 80 }

const schema = {
  ...{ ...endless, temperature: 1, seed: 11, ignore_eos: false, max_tokens: 400 },
  response_format: { type: 'json_schema', json_schema: { name: 'numbers', schema: numbers, strict: true } }
}

/** Killed in the midst of them all. */
const rounds: readonly (readonly Work[])[] = [
  [
    { name: 'greedy, streamed and followed', path: CHAT, way: 'stream', body: endless },
    {
      name: 'two seeded choices, with penalties and logprobs',
      path: CHAT,
      way: 'async',
      body: { ...drawn, n: 2, logprobs: true, top_logprobs: 2 }
    },
    {
      name: 'a completion with scores of its prompt',
      path: '/v1/completions',
      way: 'async',
      body: { ...endless, messages: undefined, prompt: 'The capital of France', echo: true, logprobs: 1 }
    }
  ],
  [
    {
      name: 'lines of a batch, one of them held to a schema',
      path: '/v1/batches',
      way: 'file',
      body: {
        requests: [drawn, schema].map((body, line) => ({ custom_id: `${line}`, method: 'POST', url: CHAT, body }))
      }
    }
  ]
]

interface Mesh {
  readonly resumedTokens?: number
  readonly reroutes?: { readonly count: number; readonly exact: boolean }
}

interface Answer {
  readonly choices: readonly object[]
  readonly usage: { readonly completion_tokens: number }
  readonly mesh: Mesh
}

/** Of one request, or of each line of a batch. */
function answersOf(ended: Readonly<Record<string, unknown>>): readonly Answer[] {
  if (!Array.isArray(ended.output)) return [ended as unknown as Answer]
  return ended.output.map(({ response }) => response.body)
}

/** All that has to be the same each time. */
function saidOf({ choices, usage }: Answer): object {
  return { choices, tokens: usage.completion_tokens }
}

/** Tokens that this process of the coordinator was told by nodes. */
async function tokensTold({ url }: Swarm): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^resultity_completion_tokens_total\{.*\} (\d+)/m.exec(text)?.[1] ?? 0)
}

/** Resolves when each of the requests runs, and enough of it is stored to be missed. */
async function untilKept(swarm: Swarm, count: number): Promise<readonly KeptTokens[]> {
  const enough = (kept: readonly KeptTokens[]): boolean => kept.length === count && kept.every(isKept)
  const isKept = (one: KeptTokens): boolean => leastKept(one) >= KEPT_MIN
  const read = async (): Promise<KeptTokens[]> => {
    // a batch is a job that only waits for those of its lines
    return keptTokens(swarm.coordinator.dataDir).filter(({ tokens }) => tokens.size > 0)
  }
  return await eventually('tokens are stored', read, enough)
}

test('a coordinator that is killed goes on with answers where its log ends', async t => {
  const swarm = await swarmFor(t, { nodes: 0, stages: 2 })
  const shaped: ShapedNode[] = await Promise.all(Array.from({ length: 3 }, () => addShapedNode(swarm)))
  t.teardown(async () => {
    for (const { shaper } of shaped) await shaper[Symbol.asyncDispose]()
  })
  // so far apart that an answer is not through before it is stored
  for (const { shaper } of shaped) shaper.set({ delayMs: 6 })
  await swarm.untilNodes(3)
  await swarm.untilPlaced(({ state, stages }) => state === 'ready' && stages.length === 2)
  for (const works of rounds) {
    await t.test(works.map(({ name }) => name).join('; '), async t => {
      const undisturbed = await Promise.all(works.map(async work => (await submit(swarm, work)).answer(swarm)))
      const taken = await Promise.all(works.map(work => submit(swarm, work)))
      const kept = await untilKept(swarm, undisturbed.flatMap(answersOf).length)
      await swarm.restartCoordinator('SIGKILL')
      const ends = await Promise.all(taken.map(one => one.answer(swarm)))
      for (const [index, one] of taken.entries()) {
        const name = one.work.name
        const answers = answersOf(ends[index] ?? {})
        t.same(answers.map(saidOf), answersOf(undisturbed[index] ?? {}).map(saidOf), `${name}: each token is the same`)
        for (const { mesh } of answers) {
          t.ok((mesh.resumedTokens ?? 0) >= KEPT_MIN, `${name}: ${mesh.resumedTokens} tokens were not made again`)
          t.match(mesh.reroutes, { count: 1, exact: true }, `${name}: the nodes saw that it is exact`)
        }
        await checkLog(t, swarm, one, answers[0])
      }
      const all = ends.flatMap(answersOf).reduce((sum, { usage }) => sum + usage.completion_tokens, 0)
      const stored = kept.flatMap(({ tokens }) => [...tokens.values()]).reduce((sum, { length }) => sum + length, 0)
      t.ok((await tokensTold(swarm)) <= all - stored, `the nodes told ${await tokensTold(swarm)} of ${all} tokens`)
      await eventually(
        'no slot is left behind',
        async () => slotsTaken(await meshNodes(swarm.url)),
        taken => taken === 0
      )
    })
  }
})

/** A reader that comes back finds the answer going on: no entry is missing, none comes twice. */
async function checkLog(t: Test, swarm: Swarm, { work, jobId, followed }: Taken, answer?: Answer): Promise<void> {
  if (jobId === undefined) return
  const log = await logOf(swarm, jobId)
  t.same(
    log.map(({ id }) => id),
    log.map((_, index) => index + 1),
    `${work.name}: its log has no gap`
  )
  const tokens = log.filter(({ type }) => type === 'progress').flatMap(({ data }) => data.tokens as readonly number[])
  t.equal(tokens.length, answer?.usage.completion_tokens, `${work.name}: and each token once`)
  const texts = answer?.choices.map(choice => (choice as { message?: { content?: string } }).message?.content)
  const read = await followed()
  if (read !== undefined) t.same([...read.values()], texts, `${work.name}: its reader was sent each piece once`)
}
