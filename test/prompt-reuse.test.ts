import { swarmFor } from '@resultity/testkit'
import { test } from 'tap'
import { type Told, ask as told } from './told-answer.ts'

const STEP = 64
const CHAT = '/v1/chat/completions'
const question = 'What is the capital of France? '.repeat(18)
const first = [{ role: 'user', content: question }]
const greedy = { model: 'tiny-chat', max_tokens: 24, ignore_eos: true, temperature: 0, logprobs: true, top_logprobs: 2 }
const seeded = { ...greedy, temperature: 1.2, seed: 11 }

type Body = Readonly<Record<string, unknown>>
type Messages = readonly { readonly role: string; readonly content: string }[]

async function post(url: string, path: string, body: Body, key?: string) {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization },
    body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(await response.text())
  return await response.json()
}

/** The next turn of a conversation. */
function turnAfter(messages: Messages, answer: string): Messages {
  return [...messages, { role: 'assistant', content: answer }, { role: 'user', content: 'And of Italy?' }]
}

/** What a client sees of an answer, but for what it took. */
function seen({ choices }: { readonly choices: unknown }): unknown {
  return choices
}

function cachedOf(answer: { readonly usage: { readonly prompt_tokens_details: { readonly cached_tokens: number } } }) {
  return answer.usage.prompt_tokens_details.cached_tokens
}

test('the next turn begins with what the stages have kept, and no bit is another', async t => {
  const [cold, swarm] = await Promise.all([
    swarmFor(t, { nodes: 1, coordinatorArgs: ['--no-reuse-prompts'] }),
    swarmFor(t, { nodes: 4, stages: 3 })
  ])

  for (const stages of [1, 3]) {
    await t.test(`${stages} stages`, async t => {
      const mesh = { stages }
      for (const [name, asked] of Object.entries({ greedy, seeded })) {
        const wanted = await post(cold.url, CHAT, { ...asked, messages: first })
        const turn = await post(swarm.url, CHAT, { ...asked, messages: first, mesh })
        t.same(seen(turn), seen(wanted), `${name}: the first turn`)
        if (name === 'greedy') t.equal(cachedOf(turn), 0, 'nothing was there')
        const messages = turnAfter(first, wanted.choices[0].message.content)
        const wantedNext = await post(cold.url, CHAT, { ...asked, messages })
        const next = await post(swarm.url, CHAT, { ...asked, messages, mesh })
        t.same(seen(next), seen(wantedNext), `${name}: the second turn`)
        t.equal(cachedOf(wantedNext), 0)
        t.ok(cachedOf(next) >= turn.usage.prompt_tokens - 2 * STEP, `${cachedOf(next)} tokens were kept`)
        t.equal(cachedOf(next) % STEP, 0)
      }
      const several = { ...seeded, messages: [{ role: 'user', content: `${stages} stages. ${question}` }], n: 3, mesh }
      const wanted = await post(cold.url, CHAT, { ...several, mesh: {} })
      const choices = await post(swarm.url, CHAT, several)
      t.same(seen(choices), seen(wanted), 'three choices of one prompt')
      t.equal(cachedOf(choices), 0, 'the first has computed it')
    })
  }

  await t.test('every API says what was kept', async t => {
    const messages = [{ role: 'user', content: `Say it. ${question}` }]
    const turn = await post(swarm.url, CHAT, { ...greedy, messages })
    const kept = cachedOf(await post(swarm.url, CHAT, { ...greedy, messages }))
    t.ok(kept > 0)
    const response = await post(swarm.url, '/v1/responses', { model: 'tiny-chat', input: messages, temperature: 0 })
    t.match(response.usage, { input_tokens: turn.usage.prompt_tokens, input_tokens_details: { cached_tokens: kept } })
    const message = await post(swarm.url, '/v1/messages', { model: 'tiny-chat', messages, max_tokens: 4 })
    t.match(message.usage, {
      input_tokens: turn.usage.prompt_tokens - kept,
      cache_read_input_tokens: kept,
      cache_creation_input_tokens: 0
    })
    const prompts = { model: 'tiny-chat', prompt: question, max_tokens: 2, temperature: 0 }
    const completion = await post(swarm.url, '/v1/completions', prompts)
    const again = await post(swarm.url, '/v1/completions', prompts)
    t.same(seen(again), seen(completion))
    t.ok(cachedOf(again) > 0)
    const scored = await post(swarm.url, '/v1/completions', { ...prompts, echo: true, logprobs: 1 })
    t.equal(cachedOf(scored), 0, 'a prompt that is scored is computed as a whole')
    const metrics = await (await fetch(`${swarm.url}/metrics`)).text()
    t.match(metrics, /resultity_prompt_tokens_cached_total\{model="tiny-chat"\} [1-9]/)
  })

  await t.test('an answer that began with what was kept outlives its nodes', async t => {
    const long = { ...seeded, max_tokens: 300, messages: [{ role: 'user', content: `Now: ${question}` }] }
    const wanted = await told(cold.url, { body: long })
    await post(swarm.url, CHAT, { ...long, max_tokens: 1 })
    const { route } = (await told(swarm.url, { body: { ...greedy, messages: first, max_tokens: 1 } })).mesh
    const victim = swarm.nodes.find(({ peerId }) => peerId === route[1]?.peerId)
    let pieces = 0
    let gone: Promise<void> | undefined
    const onPiece = (): void => {
      if (++pieces === 2) gone = victim?.kill('SIGKILL')
    }
    const found: Told = await told(swarm.url, { body: { ...long, stream: true } }, onPiece)
    await gone
    t.same(found.mesh.reroutes, { count: 1, exact: true })
    t.same(found.choices, wanted.choices, 'the new node had kept nothing')
    const next = await post(swarm.url, CHAT, { ...long, max_tokens: 24 })
    t.equal(next.choices[0].message.content, wanted.choices[0]?.text.slice(0, next.choices[0].message.content.length))
  })

  await t.test('nothing passes from one namespace to another', async t => {
    const keys: string[] = []
    for (const namespace of ['one', 'two']) {
      const body = { name: namespace, namespace, scopes: ['inference', 'admin'] }
      keys.push((await post(swarm.url, '/v1/admin/keys', body, keys[0])).key)
    }
    const [one = '', two = ''] = keys
    const messages = [{ role: 'user', content: `A secret. ${question}` }]
    const body = { ...greedy, messages }
    const wanted = await post(swarm.url, CHAT, body, one)
    t.equal(cachedOf(wanted), 0)
    const other = await post(swarm.url, CHAT, body, two)
    t.equal(cachedOf(other), 0)
    t.same(seen(other), seen(wanted))
    t.ok(cachedOf(await post(swarm.url, CHAT, body, one)) > 0)
  })
})
