import { swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import OpenAI6 from 'openai6'
import t from 'tap'
import { failureOf, MODEL, questions } from './questions.ts'

const [first] = await questions()
const swarm = await swarmFor(t, { nodes: 1, models: [MODEL] })
const { url } = swarm

/** Answers as the client's transport sees them, each attempt. */
interface Attempt {
  readonly status: number
  readonly headers: Headers
}

function clientOf(Client: typeof OpenAI, apiKey: string, onAttempt: (attempt: Attempt) => Promise<void>): OpenAI {
  return new Client({
    baseURL: `${url}/v1`,
    apiKey,
    maxRetries: 6,
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      await onAttempt(response)
      return response
    }
  })
}

const versions = [
  { version: '7', Client: OpenAI },
  { version: '6', Client: OpenAI6 as unknown as typeof OpenAI }
]
let stages = 1
for (const { version, Client } of versions) {
  t.test(`openai ${version} waits for a node that is missing, as long as it is told to`, async t => {
    stages += 1
    const statuses: number[] = []
    const waits: (string | null)[] = []
    const client = clientOf(Client, 'none', async ({ status, headers }) => {
      statuses.push(status)
      if (status !== 503) return
      waits.push(headers.get('retry-after-ms'))
      if (statuses.length === 1) await swarm.addNode()
      await swarm.untilNodes(stages)
    })
    const body = {
      model: MODEL,
      temperature: 0,
      messages: [{ role: 'user' as const, content: first.question }],
      mesh: { stages }
    }
    const { choices } = await client.chat.completions.create(body)
    t.equal(choices[0]?.message.content, first.answer)
    t.same([statuses[0], statuses.at(-1)], [503, 200])
    t.ok(
      waits.every(wait => /^\d{3,5}$/.test(wait ?? '')),
      `when to come again: ${waits}`
    )
  })

  t.test(`openai ${version} does not ask again for what is not served`, async t => {
    let attempts = 0
    const client = clientOf(Client, 'none', async ({ headers }) => {
      attempts += 1
      t.equal(headers.get('x-should-retry'), 'false')
    })
    const error = await failureOf(client.audio.speech.create({ model: 'x', voice: 'alloy', input: 'hi' }))
    t.match(error, { status: 501, code: 'not_implemented' })
    t.equal(attempts, 1)
  })
}

t.test('a key that has used up its requests is told when it may ask again, and the client does', async t => {
  const admin = await createKey({ scopes: ['admin'] })
  const key = await createKey({ limits: { requests_per_second: 1, burst: 1 } }, admin)
  for (const { version, Client } of versions) {
    const attempts: Attempt[] = []
    const client = clientOf(Client, key, async attempt => void attempts.push(attempt))
    const body = { model: MODEL, max_tokens: 1, messages: [{ role: 'user' as const, content: first.question }] }
    const answers = await Promise.all([client.chat.completions.create(body), client.chat.completions.create(body)])
    t.equal(answers.length, 2, version)
    const refused = attempts.filter(({ status }) => status === 429)
    t.ok(refused.length > 0)
    t.ok(refused.every(({ headers }) => /^\d+$/.test(headers.get('retry-after-ms') ?? '')))
  }
})

async function createKey(wanted: object, as?: string): Promise<string> {
  const response = await fetch(`${url}/v1/admin/keys`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(as === undefined ? {} : { authorization: `Bearer ${as}` }) },
    body: JSON.stringify(wanted)
  })
  if (!response.ok) throw new Error(await response.text())
  const { key }: { key: string } = await response.json()
  return key
}
