import { once } from 'node:events'
import { cp, mkdir, rmdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { checkFetches } from '@resultity/test-api'
import OpenAI from 'openai'
import { pino } from 'pino'
import t from 'tap'
import { type GenerationEvent, type Generator, type RunningCoordinator, startCoordinator } from '../src/index.ts'
import { CHAT, QUESTION } from './support/scripted-mesh.ts'

// A coordinator that serves some models already and still imports others.

const directory = t.testdir()
const dataDir = join(directory, 'data')
const importLock = join(dataDir, 'models.lock')
let port = 0
let gate = Promise.withResolvers<void>()

/** Answers once it is let. */
const generator: Generator = {
  placesMax: 1,
  start: async ({ prompt }, { signal } = {}) => {
    signal?.throwIfAborted()
    await Promise.race([gate.promise, ...(signal === undefined ? [] : [once(signal, 'abort')])])
    signal?.throwIfAborted()
    const usage = { promptTokens: prompt.length, completionTokens: 1 }
    async function* events(): AsyncGenerator<GenerationEvent, void> {
      yield { type: 'token', text: 'word', tokenId: 5 }
      yield { type: 'end', text: '', finishReason: 'length', complete: false, usage }
    }
    return {
      route: { placementId: 'none', stages: [] },
      usage,
      events: events(),
      [Symbol.asyncDispose]: async () => {}
    }
  }
}

/** The same weights under another name. */
async function twin(name: string): Promise<string> {
  const path = join(directory, name)
  await cp(fileURLToPath(new URL('../../../model/models/tiny-chat', import.meta.url)), path, { recursive: true })
  return `file:${path}`
}

function start(models: readonly string[]): Promise<RunningCoordinator> {
  return startCoordinator({
    dataDir,
    http: { host: '127.0.0.1', port },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    models,
    aliases: { nick: 'tiny-chat' },
    generator,
    limits: { batchPollMs: 20, jobSweepMs: 20, slotWaitMs: 50 },
    logger: pino({ level: 'silent' })
  })
}

/** As another process that imports into the data directory would; proper-lockfile takes it for alive. */
async function holdImports(): Promise<void> {
  await mkdir(importLock)
  const future = new Date(Date.now() + 24 * 60 * 60_000)
  await utimes(importLock, future, future)
}

const ask = (custom_id: string, model: string, body: object = {}) => ({
  custom_id,
  method: 'POST',
  url: CHAT,
  body: { ...QUESTION, model, ...body }
})

let url = ''
const client = (): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body), headers })

async function beginBatch(lines: readonly object[]): Promise<string> {
  const text = lines.map(line => JSON.stringify(line)).join('\n')
  const file = await client().files.create({ file: new File([text], 'input.jsonl'), purpose: 'batch' })
  const batch = { input_file_id: file.id, endpoint: CHAT, completion_window: '24h' } as const
  return (await client().batches.create(batch)).id
}

async function ended(path: string): Promise<Record<string, unknown>> {
  for (;;) {
    const body = await (await fetch(`${url}${path}`)).json()
    if (!/^(?:queued|running|validating|in_progress|finalizing)$/.test(body.status)) return body
    await setImmediate()
  }
}

/** Resolves once this model is served. */
async function served(name: string): Promise<void> {
  for (;;) {
    const list = await fetch(`${url}/v1/models`).then(
      response => response.json(),
      () => undefined
    )
    if (list?.data.some(({ id }: { id: string }) => id === name)) return
    await setImmediate()
  }
}

const second = await twin('second')
let running: RunningCoordinator | undefined
t.teardown(() => running?.close())

t.before(async () => {
  await using first = await start(['tiny-chat'])
  url = first.httpUrl
  port = Number(new URL(url).port)
})

t.test('what asks for a model that is still imported is not failed for good', async t => {
  await using _ = checkFetches(url)
  gate.resolve()
  await holdImports()
  const starting = start(['tiny-chat', second])
  await served('tiny-chat')
  const requests = [ask('here', 'tiny-chat'), ask('coming', 'second')]
  const refused = await post('/v1/batch', { requests })
  t.equal(refused.status, 503)
  t.ok(refused.headers.get('retry-after'))
  t.match(await refused.json(), { error: { code: 'unavailable', message: /still imports its models/ } })
  const wrong = await post('/v1/batch', { requests: [ask('wrong', 'tiny-chat', { messages: [] })] })
  t.match(await wrong.json(), { request_counts: { failed: 1 } }, 'what will not pass is told of the request alone')
  const id = await beginBatch([...requests, ask('wrong', 'second', { messages: [] })])
  await rmdir(importLock)
  running = await starting
  t.match(await ended(`/v1/batches/${id}`), {
    status: 'completed',
    request_counts: { total: 3, completed: 2, failed: 1 }
  })
  t.equal((await post('/v1/batch', { requests })).status, 200)
})

t.test('what an earlier process took waits for its models, while those that are here are served', async t => {
  await using _ = checkFetches(url)
  gate = Promise.withResolvers()
  const async = { prefer: 'respond-async' }
  const requests = [ask('a', 'second'), ask('b', 'tiny-chat')]
  const inline = await (await post('/v1/batch', { requests }, async)).json()
  const voting = { ...QUESTION, models: ['second', 'tiny-chat'], strategy: 'vote' }
  const vote = await (await post(CHAT, voting, async)).json()
  const batch = await beginBatch(requests)
  const nick = await (await post(CHAT, { ...QUESTION, model: 'nick' }, async)).json()
  await running?.close()
  await holdImports()
  const starting = start(['tiny-chat', await twin('third'), second])
  await served('tiny-chat')
  const late = await post(CHAT, QUESTION)
  t.match([late.status, await late.json()], [503, { error: { code: 'resource_exhausted' } }], 'all places are taken')
  gate.resolve()
  t.equal((await ended(`/v1/requests/${nick.id}`)).status, 'succeeded')
  t.equal((await (await post(CHAT, { ...QUESTION, models: ['tiny-chat'] }, async)).json()).status, 'queued')
  await rmdir(importLock)
  running = await starting
  for (const { id } of [inline, vote]) t.equal((await ended(`/v1/requests/${id}`)).status, 'succeeded')
  const answers = await (await fetch(`${url}${inline.response_url}`)).json()
  t.match(answers.request_counts, { total: 2, completed: 2, failed: 0 })
  t.match(await ended(`/v1/batches/${batch}`), { request_counts: { total: 2, completed: 2, failed: 0 } })
})
