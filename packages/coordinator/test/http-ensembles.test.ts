import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MeshError } from '@resultity/interface'
import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

const tinyChat = fileURLToPath(new URL('../../../model/models/tiny-chat', import.meta.url))
const directory = t.testdir()
for (const name of ['beta', 'gamma']) await cp(tinyChat, join(directory, name), { recursive: true })

const mesh = await startScriptedMesh(2, {
  contextLength: 512,
  models: ['tiny-chat', ...['beta', 'gamma'].map(name => `file:${join(directory, name)}`)],
  aliases: {
    'gpt-4o': 'tiny-chat',
    panel: { models: ['tiny-chat', 'beta'], strategy: 'all' },
    'safe-chat': { models: ['tiny-chat', 'beta'] }
  }
})
t.teardown(() => mesh[Symbol.asyncDispose]())
for (const model of ['beta', 'gamma']) {
  const warm = await mesh.post({ ...QUESTION, model, max_tokens: 1, mesh: { stages: 2 } })
  if (!warm.ok) throw new Error(await warm.text())
  await warm.text()
}

const [endToken = 0] = mesh.tokenizer.endTokenIds
type Play = (ring: Ring) => void | Promise<void>

const says =
  (text: string): Play =>
  ({ sample }) =>
    sample([...mesh.tokenizer.encode(text), endToken], 'end_token')

const fails: Play = ({ stages, open }) =>
  // from the stage that samples: what it sampled comes before
  stages.at(-1)?.send({
    type: 'fault',
    session: open.session,
    epoch: open.epoch,
    error: new MeshError('engine_failed', 'it broke')
  })

/** Until the coordinator ends the session. */
const hangs: Play = async ({ stages }) => {
  await stages[0]?.ended
}

/** One piece of text, then what else. */
const begins =
  (text: string, then: Play): Play =>
  async ring => {
    await ring.sample(mesh.tokenizer.encode(text))
    await then(ring)
  }

/** Gives every model its part. One that has none in the play must not be asked. */
function play(parts: Record<string, Play>): { readonly asked: string[] } {
  const asked: string[] = []
  mesh.ring.script = ring => {
    const assigned = mesh.nodes.flatMap(node => node.assigned)
    const model = assigned.find(({ placementId }) => placementId === ring.open.placementId)?.model ?? 'nobody'
    asked.push(model)
    return (parts[model] ?? fails)(ring)
  }
  return { asked }
}

const ask = async (fields: object) => {
  const response = await mesh.post({ ...QUESTION, ...fields })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

const stream = async (fields: object) => {
  const response = await mesh.post({ ...QUESTION, stream: true, ...fields })
  const events = await readEvents(response)
  const last = events.pop()
  const chunks = events.map(event => JSON.parse(event))
  t.same(
    chunks.flatMap(chunk => ('error' in chunk ? [] : openAiErrors('CreateChatCompletionStreamResponse', chunk))),
    []
  )
  return { response, chunks, last }
}

const textOf = (chunks: { choices: { index: number; delta: { content?: string } }[] }[], index = 0): string =>
  chunks
    .flatMap(chunk => chunk.choices)
    .filter(choice => choice.index === index)
    .map(choice => choice.delta.content ?? '')
    .join('')

const models = ['tiny-chat', 'beta', 'gamma']

t.test('all: every model answers, one choice each, and usage is what they took together', async t => {
  play({ 'tiny-chat': says('Paris.'), beta: says('Lyon it is.'), gamma: fails })
  const { status, body } = await ask({ models, strategy: 'all' })
  t.equal(status, 200)
  t.same(openAiErrors('CreateChatCompletionResponse', body), [])
  t.match(body, {
    object: 'chat.completion',
    model: 'tiny-chat+beta',
    choices: [
      { index: 0, model: 'tiny-chat', message: { content: 'Paris.' }, finish_reason: 'stop' },
      { index: 1, model: 'beta', message: { content: 'Lyon it is.' }, finish_reason: 'stop' }
    ],
    mesh: {
      strategy: 'all',
      models: [
        { model: 'tiny-chat', status: 'succeeded', ms: Number, route: { length: 2 }, error: null },
        { model: 'beta', status: 'succeeded' },
        { model: 'gamma', status: 'failed', usage: null, error: { code: 'engine_failed', message: /it broke/ } }
      ]
    }
  })
  const [a, b] = body.mesh.models
  t.equal(body.usage.completion_tokens, a.usage.completion_tokens + b.usage.completion_tokens)
  t.equal(body.usage.total_tokens, a.usage.total_tokens + b.usage.total_tokens)
  play({ 'tiny-chat': says('Paris.'), beta: says('Lyon.') })
  t.match((await ask({ model: 'tiny-chat+beta' })).body, { choices: { length: 2 }, mesh: { strategy: 'all' } })
  t.match((await ask({ model: 'panel' })).body, { choices: { length: 2 } }, 'by a name of the operator')
})

t.test('all, streamed: choices beside each other where the models were named, else the first alone', async t => {
  play({ 'tiny-chat': says('Paris.'), beta: says('Lyon it is.'), gamma: fails })
  const body = { models, strategy: 'all', stream_options: { include_usage: true } }
  const { chunks, last } = await stream(body)
  t.equal(last, '[DONE]')
  t.equal(textOf(chunks, 0), 'Paris.')
  t.equal(textOf(chunks, 1), 'Lyon it is.')
  for (const key of ['id', 'model', 'system_fingerprint']) {
    t.equal(new Set(chunks.map(chunk => chunk[key])).size, 1, `${key} is the same in all chunks`)
  }
  const choices = chunks.flatMap(chunk => chunk.choices)
  for (const [index, model] of ['tiny-chat', 'beta'].entries()) {
    const own = choices.filter(choice => choice.index === index)
    t.match(own[0], { model, delta: { role: 'assistant' } })
    t.equal(own.at(-1).finish_reason, 'stop')
  }
  t.match(chunks.at(-1), { choices: [], usage: { completion_tokens: Number }, mesh: { models: { length: 3 } } })
  t.ok(chunks.at(-1).usage.completion_tokens > 0)
  play({ 'tiny-chat': says('Paris.'), beta: says('Lyon.') })
  const primary = await stream({ model: 'panel' })
  t.equal(textOf(primary.chunks), 'Paris.')
  t.ok(primary.chunks.flatMap(chunk => chunk.choices).every(choice => choice.index === 0))
  t.match(primary.chunks.at(-1), { mesh: { models: [{ model: 'tiny-chat' }, { model: 'beta' }] } })
})

t.test('all, streamed: a choice whose model fails midway still ends', async t => {
  play({ 'tiny-chat': says('Paris.'), beta: begins('Lyon is the best of', fails) })
  const { chunks, last } = await stream({ models: ['tiny-chat', 'beta'], strategy: 'all' })
  const own = chunks.flatMap(chunk => chunk.choices).filter(choice => choice.index === 1)
  t.equal(own.at(-1).finish_reason, 'length')
  t.match(chunks.at(-1).mesh.models[1], { status: 'failed', error: { code: 'engine_failed' } })
  t.equal(last, '[DONE]')
})

t.test('fastest: the first whole answer, and the others are ended', async t => {
  play({ 'tiny-chat': hangs, beta: says('Lyon.'), gamma: begins('Mar', hangs) })
  const { body } = await ask({ models, strategy: 'fastest' })
  t.match(body, { model: 'beta', choices: [{ index: 0, message: { content: 'Lyon.' } }] })
  t.match(body.mesh.models, [
    { model: 'tiny-chat', status: 'cancelled' },
    { model: 'beta', status: 'succeeded' },
    { model: 'gamma', status: 'cancelled' }
  ])
  t.same(openAiErrors('CreateChatCompletionResponse', body), [])
  play({ 'tiny-chat': hangs, beta: says('Lyon.') })
  const { chunks } = await stream({ models: ['tiny-chat', 'beta'], strategy: 'fastest' })
  t.equal(textOf(chunks), 'Lyon.')
  t.ok(chunks.every(chunk => chunk.model === 'beta'))
})

t.test('fallback: in order, past errors and time limits, and no further than needed', async t => {
  const first = play({ 'tiny-chat': fails, beta: says('Lyon.') })
  const { body, headers } = await ask({ models })
  t.match(body, { model: 'beta', choices: [{ message: { content: 'Lyon.' } }], mesh: { strategy: 'fallback' } })
  t.match(
    body.mesh.models.map((one: { status: string }) => one.status),
    ['failed', 'succeeded', 'skipped']
  )
  t.same(first.asked, ['tiny-chat', 'tiny-chat', 'beta'], 'an engine that broke off has another try')
  t.match(headers.get('x-resultity-route'), /\[0,2\) .*\[2,4\)$/)
  play({ 'tiny-chat': hangs, beta: says('Lyon.') })
  const slow = await ask({ model: 'safe-chat', mesh: { timeout_ms: 2000 } })
  t.match(slow.body, { model: 'beta', mesh: { models: [{ error: { code: 'deadline_exceeded' } }, {}] } })
})

t.test('fallback, streamed: nothing is seen of a model that fails before its first word', async t => {
  play({ 'tiny-chat': fails, beta: hangs, gamma: says('Marseille.') })
  const { chunks, last, response } = await stream({ models, mesh: { timeout_ms: 2000 } })
  t.equal(textOf(chunks), 'Marseille.')
  t.equal(last, '[DONE]')
  t.ok(chunks.every(chunk => chunk.model === 'gamma'))
  t.match(response.headers.get('x-resultity-route'), /\[0,2\) .*\[2,4\)$/)
  t.equal(chunks.flatMap(chunk => chunk.choices).filter(choice => choice.delta.role !== undefined).length, 1)
  play({ 'tiny-chat': begins('Paris is the best of', fails), beta: says('Lyon.') })
  const broken = await stream({ models })
  t.match(textOf(broken.chunks), /^Paris is/)
  t.match(JSON.parse(String(broken.last)), { error: { code: 'engine_failed' } }, 'after it, the failure is told')
})

t.test('a failure of all is told with what each of them said', async t => {
  play({})
  for (const strategy of ['all', 'fastest', 'fallback', 'vote']) {
    const { status, body } = await ask({ models: ['tiny-chat', 'beta'], strategy })
    t.equal(status, 500, strategy)
    t.match(body.error, { code: 'engine_failed', message: /None of 2 models.*tiny-chat: .*beta: / })
  }
})

t.test('vote: what most of them say, in their own words', async t => {
  play({ 'tiny-chat': says('Lyon'), beta: says('Paris'), gamma: says('paris.') })
  const { body } = await ask({ models, strategy: 'vote' })
  t.match(body, { model: 'beta', choices: [{ message: { content: 'Paris' } }] })
  t.match(body.mesh.vote.ballots, [
    { answer: 'paris', votes: 2, models: ['beta', 'gamma'] },
    { answer: 'lyon', votes: 1, models: ['tiny-chat'] }
  ])
  play({ 'tiny-chat': says('{"a":{"b":1},"x":1}'), beta: says('{"a":{"b":2}}'), gamma: says('{"a":{"b":2},"x":3}') })
  const byField = await ask({ models, vote: { field: 'a.b' } })
  t.match(byField.body, { model: 'beta', mesh: { strategy: 'vote', vote: { ballots: [{ votes: 2 }, { votes: 1 }] } } })
  play({ 'tiny-chat': says('Yes.') })
  const same = await ask({ models: ['tiny-chat', 'tiny-chat', 'tiny-chat'], strategy: 'vote', seed: 5 })
  t.equal(same.body.mesh.vote.ballots[0].votes, 3, 'one model may vote several times, with a seed for each')
})

t.test('judge: picks one or merges them, and its reasons are kept', async t => {
  play({
    'tiny-chat': says('Paris.'),
    beta: says('Lyon.'),
    gamma: says('{"answer":2,"reasons":"since it is shorter"}')
  })
  const judge = { model: 'gamma' }
  const { body } = await ask({ models: ['tiny-chat', 'beta'], strategy: 'judge', judge })
  t.match(body, {
    model: 'beta',
    choices: [{ message: { content: 'Lyon.' } }],
    mesh: { judge: { model: 'gamma', mode: 'pick', picked: 1, reasons: /since it is shorter/ } }
  })
  t.match(body.mesh.models, [{ content: 'Paris.' }, { role: 'member' }, { model: 'gamma', role: 'judge' }])
  t.same(openAiErrors('CreateChatCompletionResponse', body), [])
  play({ 'tiny-chat': says('Paris.'), beta: says('Lyon.'), gamma: says('Both.\nReasons: why not') })
  const merged = await stream({ models: ['tiny-chat', 'beta'], judge: { ...judge, mode: 'merge' } })
  t.equal(textOf(merged.chunks), 'Both.')
  t.match(merged.chunks.at(-1).mesh, { judge: { mode: 'merge', picked: null, reasons: 'why not' } })
  const alone = play({ 'tiny-chat': says('Paris.'), beta: fails })
  t.match((await ask({ models: ['tiny-chat', 'beta'], judge })).body, { model: 'tiny-chat' })
  t.notOk(alone.asked.includes('gamma'), 'one answer needs no judge')
})

const complete = async (fields: object) => {
  const body = JSON.stringify({ prompt: 'The capital of France is', ...fields })
  return await fetch(`${mesh.coordinator.httpUrl}/v1/completions`, { method: 'POST', body })
}

t.test('several models go on with one text, by every strategy', async t => {
  const parts = { 'tiny-chat': says('Paris.'), beta: says('Lyon.'), gamma: says('paris') }
  play(parts)
  const whole = async (fields: object) => {
    const body = await (await complete({ models, ...fields })).json()
    t.same(openAiErrors('CreateCompletionResponse', body), [])
    return body
  }
  t.match(await whole({ strategy: 'all' }), {
    object: 'text_completion',
    id: /^cmpl-/,
    choices: [
      { index: 0, model: 'tiny-chat', text: /Paris\./ },
      { index: 1, model: 'beta', text: /Lyon\./ },
      { index: 2, model: 'gamma', text: /paris/ }
    ],
    mesh: { models: { length: 3 } }
  })
  t.match(await whole({ strategy: 'vote' }), { model: 'tiny-chat', choices: [{ text: /Paris\./ }] })
  play({ ...parts, 'tiny-chat': fails })
  t.match(await whole({}), { model: 'beta', choices: [{ text: /Lyon\./ }], mesh: { strategy: 'fallback' } })
  play({ 'tiny-chat': says('Paris.'), beta: says('Lyon.'), gamma: says('{"answer":1,"reasons":"of course"}') })
  const two = { models: ['tiny-chat', 'beta'] }
  const picked = await whole({ ...two, judge: { model: 'gamma' } })
  t.match(picked, { model: 'tiny-chat', mesh: { judge: { picked: 0, reasons: /of course/ } } })
  t.match(picked.mesh.models[2], { role: 'judge', content: /of course/ })
  play({ 'tiny-chat': says('Paris.'), beta: says('Lyon.'), gamma: says('Both.\nReasons: why not') })
  const merged = await whole({ ...two, judge: { model: 'gamma', mode: 'merge' } })
  t.match(merged, { object: 'text_completion', model: 'gamma', choices: [{ index: 0, text: 'Both.', logprobs: null }] })
  t.notOk('message' in merged.choices[0], 'a judge is asked by a chat, and its answer told as a text')
})

t.test('several models go on with one text, streamed', async t => {
  play({ 'tiny-chat': says('Paris.'), beta: says('Lyon it is.') })
  for (const [strategy, expected] of [
    ['all', ['Paris.', 'Lyon it is.']],
    ['vote', ['Paris.']]
  ] as const) {
    const events = await readEvents(await complete({ models: ['tiny-chat', 'beta'], strategy, stream: true }))
    t.equal(events.pop(), '[DONE]')
    const chunks = events.map(event => JSON.parse(event))
    const choices = chunks.flatMap(chunk => chunk.choices)
    for (const [index, text] of expected.entries()) {
      const own = choices.filter(choice => choice.index === index)
      const said = own.map(choice => choice.text).join('')
      t.equal(said.trim(), text, strategy)
      t.equal(own.at(-1).finish_reason, 'stop')
    }
    t.match(chunks.at(-1).mesh, { strategy, models: { length: 2 } })
  }
})

t.test('several prompts, or token ids, are asked of one model only', async t => {
  for (const prompt of [['a', 'b'], [1, 2], [[1, 2]]]) {
    const response = await complete({ models, prompt })
    t.equal(response.status, 400)
    t.match(await response.json(), { error: { param: 'prompt' } })
  }
  play({ 'tiny-chat': says('Paris.') })
  t.equal((await complete({ models: ['tiny-chat'], prompt: ['a'] })).status, 200)
})

t.test('where one model answers, several are refused and not left aside', async t => {
  for (const [path, fields] of [
    ['/v1/responses', { input: 'a' }],
    ['/v1/embeddings', { input: 'a' }]
  ] as const) {
    for (const named of [{ models }, { strategy: 'all' }]) {
      const body = JSON.stringify({ model: 'tiny-chat', ...fields, ...named })
      const response = await fetch(`${mesh.coordinator.httpUrl}${path}`, { method: 'POST', body })
      t.equal(response.status, 400, path)
      t.match(await response.json(), { error: { param: Object.keys(named)[0], message: /completions only/ } })
    }
  }
})

t.test('cancelling an ensemble cancels what its models do', async t => {
  play({ 'tiny-chat': hangs, beta: hangs })
  const response = await mesh.post(
    { ...QUESTION, models: ['tiny-chat', 'beta'], strategy: 'all' },
    { headers: { 'content-type': 'application/json', prefer: 'respond-async' } }
  )
  const { id, cancel_url } = await response.json()
  const url = mesh.coordinator.httpUrl
  const listed = await (await fetch(`${url}/v1/requests`)).json()
  t.notOk(
    listed.data.some((one: { id: string; status: string }) => one.id !== id && one.status === 'running'),
    'its parts are not listed beside it'
  )
  await fetch(`${url}${cancel_url}`, { method: 'POST' })
  const log = await (await fetch(`${url}/v1/requests/${id}/events`)).text()
  t.match(log, /event: cancelled/)
})

t.test('one of two prompts too long is that model’s failure alone', async t => {
  const content = 'word '.repeat(800)
  const { status, body } = await ask({ models, strategy: 'all', messages: [{ role: 'user', content }] })
  t.equal(status, 400, 'too long for all of them')
  t.equal(body.error.code, 'context_length_exceeded')
})

const wrong = [
  { fields: { models: [] }, status: 400, param: 'models' },
  { fields: { models: Array(17).fill('tiny-chat') }, status: 400, param: 'models' },
  { fields: { models: ['tiny-chat', 'nobody'], strategy: 'all' }, status: 404, param: 'models[1]' },
  { fields: { model: 'tiny-chat+nobody' }, status: 404, param: 'model' },
  { fields: { models: ['panel'] }, status: 404, param: 'models[0]' },
  { fields: { strategy: 'all' }, status: 400, param: 'strategy' },
  { fields: { models, strategy: 'guess' }, status: 400, param: 'strategy' },
  { fields: { models, strategy: 'judge' }, status: 400, param: 'judge' },
  { fields: { models, judge: { model: 'nobody' } }, status: 404, param: 'judge.model' },
  { fields: { models, judge: { model: 'beta', mode: 'guess' } }, status: 400, param: 'judge.mode' },
  { fields: { models, vote: { field: 'a..b' } }, status: 400, param: 'vote.field' },
  { fields: { models, n: 2 }, status: 400, param: 'n' },
  { fields: { models, mesh: { timeout_ms: 0 } }, status: 400, param: 'mesh.timeout_ms' },
  { fields: { models, messages: [] }, status: 400, param: 'messages' }
]
for (const { fields, status, param } of wrong) {
  t.test(`${JSON.stringify(fields).slice(0, 60)} is refused, naming ${param}`, async t => {
    const answer = await ask(fields)
    t.equal(answer.status, status)
    t.equal(answer.body.error.param, param)
  })
}

t.test('names of the operator are models that clients can list and ask', async t => {
  const url = mesh.coordinator.httpUrl
  const { data } = await (await fetch(`${url}/v1/models`)).json()
  for (const model of data) t.same(openAiErrors('Model', model), [])
  t.match(data, [{ id: 'tiny-chat' }, { id: 'beta' }, { id: 'gamma' }, { id: 'panel' }, { id: 'safe-chat' }])
  const panel = await (await fetch(`${url}/v1/models/panel`)).json()
  t.match(panel, { id: 'panel', contextLength: 512, ensemble: { models: ['tiny-chat', 'beta'], strategy: 'all' } })
  play({ 'tiny-chat': says('Paris.') })
  t.match((await ask({ model: 'gpt-4o' })).body, { model: 'tiny-chat', choices: { length: 1 } })
})

t.test('an alias that names nothing stops the coordinator at its start', async t => {
  const starting = startScriptedMesh(0, { aliases: { panel: { models: ['nobody'] } } })
  await t.rejects(starting, { code: 'settings_invalid', message: /"panel".*"nobody"/ })
})
