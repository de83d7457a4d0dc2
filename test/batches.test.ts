import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { swarmFor } from '@resultity/testkit'
import OpenAI, { toFile } from 'openai'
import t from 'tap'
import { eventually } from './mesh-state.ts'

const CHAT = '/v1/chat/completions'
const golden = goldenCases()

// loading models and starting processes takes its time on a busy machine

const swarm = await swarmFor(t, { nodes: 3 })
const client = new OpenAI({ baseURL: `${swarm.url}/v1`, apiKey: 'none' })

/** What tiny-chat answers, computed elsewhere. */
function goldenCases() {
  const path = fileURLToPath(new URL('../../packages/model/models/tiny-chat/golden.json', import.meta.url))
  const cases: { prompt: string; completion: string }[] = JSON.parse(readFileSync(path, 'utf8'))
  return cases.slice(0, 60).map(({ prompt, completion }) => ({ messages: messagesOf(prompt), text: completion }))
}

function messagesOf(prompt: string): object[] {
  return [...prompt.matchAll(/<\|(system|user|assistant)\|>\n(.*?)<\|end\|>/gs)].map(match => ({
    role: match[1],
    content: match[2]
  }))
}

function line(id: string, messages: readonly object[], rest: object = {}): string {
  const body = { model: 'tiny-chat', messages, temperature: 0, max_tokens: 60 }
  return JSON.stringify({ custom_id: id, method: 'POST', url: CHAT, body, ...rest })
}

async function begin(lines: readonly string[]) {
  const file = await client.files.create({ file: await toFile(Buffer.from(lines.join('\n'))), purpose: 'batch' })
  return await client.batches.create({ input_file_id: file.id, endpoint: CHAT, completion_window: '24h' })
}

const until = (id: string, holds: (batch: OpenAI.Batch) => boolean): Promise<OpenAI.Batch> =>
  eventually(`batch ${id}`, () => client.batches.retrieve(id), holds)

const hasEnded = ({ status }: OpenAI.Batch): boolean => ['completed', 'failed', 'expired', 'cancelled'].includes(status)

async function linesOf(fileId: string | undefined) {
  if (fileId === undefined) return []
  const text = await (await client.files.content(fileId)).text()
  return text
    .trimEnd()
    .split('\n')
    .map(one => JSON.parse(one))
}

t.test('a batch on a split model survives its coordinator, killed again and again, to the last line', async t => {
  const lines = golden.map(({ messages }, index) => line(`golden-${index}`, messages))
  lines.splice(3, 0, 'no JSON', line('golden-0', []), line('elsewhere', [], { url: '/v1/embeddings' }))
  const { id } = await begin(lines)
  for (const [round, counted] of [1, 20, 40, golden.length].entries()) {
    await until(
      id,
      batch => hasEnded(batch) || (batch.request_counts?.completed ?? 0) >= Math.min(counted, golden.length)
    )
    await swarm.restartCoordinator('SIGKILL')
    await swarm.untilNodes(3)
    t.pass(`killed ${round + 1} times`)
  }
  const batch = await until(id, hasEnded)
  t.equal(batch.status, 'completed')
  t.same(batch.request_counts, { total: golden.length + 3, completed: golden.length, failed: 3 })
  const answers = await linesOf(batch.output_file_id)
  t.same(
    answers.map(one => [one.custom_id, one.response.body.choices[0].message.content]),
    golden.map(({ text }, index) => [`golden-${index}`, text]),
    'every line once, with the answer that an undisturbed run gives'
  )
  t.ok(answers.every(one => one.response.body.mesh.route.length === 3))
  t.same(
    (await linesOf(batch.error_file_id)).map(one => one.custom_id),
    [null, 'golden-0', 'elsewhere']
  )
})

t.test('a batch goes on while others are answered, until it is cancelled', async t => {
  const { id } = await begin(Array.from({ length: 1000 }, (_, at) => line(`${at}`, golden[at % 60]?.messages ?? [])))
  const completed = (count: number) => (batch: OpenAI.Batch) => (batch.request_counts?.completed ?? 0) >= count
  await until(id, completed(1))
  const some = golden.slice(0, 8)
  const answers = await Promise.all(
    some.map(async ({ messages }) => {
      const body = JSON.parse(line('', messages)).body
      const response = await fetch(`${swarm.url}${CHAT}`, { method: 'POST', body: JSON.stringify(body) })
      return (await response.json()).choices?.[0]?.message.content
    })
  )
  t.same(
    answers,
    some.map(({ text }) => text),
    'more at once than there are slots, and exact'
  )
  const during = await client.batches.retrieve(id)
  t.equal(during.status, 'in_progress')
  await until(id, completed((during.request_counts?.completed ?? 0) + 1))
  await client.batches.cancel(id)
  const batch = await until(id, hasEnded)
  t.equal(batch.status, 'cancelled')
  const output = await linesOf(batch.output_file_id)
  t.equal(output.length, batch.request_counts?.completed)
  t.ok(
    output.every(one => one.response.body.choices[0].message.content === golden[Number(one.custom_id) % 60]?.text),
    'what made room and was done again is exact too'
  )
  const metrics = await (await fetch(`${swarm.url}/metrics`)).text()
  t.match(metrics, /^resultity_sessions_open 0$/m, 'nothing is left at work')
})

t.test('many requests in one call are answered by a split model in their order', async t => {
  const some = golden.slice(0, 20)
  const requests = some.map(({ messages }, index) => JSON.parse(line(`golden-${index}`, messages)))
  const response = await fetch(`${swarm.url}/v1/batch`, { method: 'POST', body: JSON.stringify({ requests }) })
  const { responses } = await response.json()
  t.same(
    responses.map(
      (one: { response: { body: OpenAI.ChatCompletion } }) => one.response.body.choices[0]?.message.content
    ),
    some.map(({ text }) => text)
  )
})
