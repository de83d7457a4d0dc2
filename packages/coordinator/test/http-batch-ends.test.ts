import { setImmediate } from 'node:timers/promises'
import type { Clock } from '@resultity/interface'
import OpenAI from 'openai'
import t from 'tap'
import type { GenerationEvent, Generator } from '../src/index.ts'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

/** Time that goes on, from wherever it is put. */
class MovableClock implements Clock {
  aheadMs = 0

  now(): number {
    return Date.now() + this.aheadMs
  }
}

const DAY_MS = 24 * 60 * 60_000
const clock = new MovableClock()
const { promise: opened, resolve: open } = Promise.withResolvers<void>()

/** Answers once it is let. */
const generator: Generator = {
  placesMax: 20,
  start: async ({ prompt }) => {
    await opened
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
const limits = { batchPollMs: 20, batchOpenMax: 200, namespaceBytesMax: 3_000_000 }
const mesh = await startScriptedMesh(0, { clock, generator, limits })
t.teardown(() => mesh[Symbol.asyncDispose]())
const url = mesh.coordinator.httpUrl
const clientOf = (apiKey: string): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })

const line = (id: string): string => JSON.stringify({ custom_id: id, method: 'POST', url: CHAT, body: QUESTION })

async function begin(client: OpenAI, count: number): Promise<OpenAI.Batch> {
  const text = Array.from({ length: count }, (_, index) => line(`${index}`)).join('\n')
  const file = await client.files.create({ file: new File([text], 'input.jsonl'), purpose: 'batch' })
  return await client.batches.create({ input_file_id: file.id, endpoint: CHAT, completion_window: '24h' })
}

async function until(client: OpenAI, id: string, holds: (batch: OpenAI.Batch) => boolean): Promise<OpenAI.Batch> {
  for (;;) {
    const batch = await client.batches.retrieve(id)
    if (holds(batch)) return batch
  }
}

/** Lines that are at work or wait, and the batch itself. */
async function jobsHere(): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const count = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1])
  return count('resultity_jobs_running') + count('resultity_jobs_queued_batch')
}

t.test('a batch whose time is over has expired, and says which lines were not begun', async t => {
  const client = clientOf('none')
  const { id } = await begin(client, 203)
  // two hundred wait for an answer, the others in the file
  while ((await jobsHere()) < 201) await setImmediate()
  clock.aheadMs = DAY_MS + 60_000
  open()
  const batch = await until(client, id, ({ status }) => status !== 'in_progress' && status !== 'finalizing')
  t.match(batch, { status: 'expired', expired_at: Number, request_counts: { total: 203, completed: 200, failed: 3 } })
  const errors = await (await client.files.content(String(batch.error_file_id))).text()
  t.same(
    errors
      .trimEnd()
      .split('\n')
      .map(one => JSON.parse(one))
      .map(({ custom_id, error }) => [custom_id, error.code]),
    ['200', '201', '202'].map(custom => [custom, 'batch_expired'])
  )
})

t.test('what one namespace has stored has an end together', async t => {
  const client = clientOf('none')
  const upload = (bytes: number) =>
    client.files.create({ file: new File(['x'.repeat(bytes)], 'input.jsonl'), purpose: 'batch' })
  const error = { status: 429, code: 'storage_quota_exceeded' }
  await t.rejects(upload(3_000_000), {
    ...error,
    message: /3000000 is the most. Delete requests, files or conversations/
  })
  // as much as there is room for, to the byte: the error says what there is
  const refusal = await upload(3_000_000).catch((error: unknown) => String(error))
  const there = Number(/has stored or reserved (\d+) bytes/.exec(String(refusal))?.[1])
  t.ok(there > 0)
  const files = []
  const refused: unknown[] = []
  for (let size = 1_500_000; size > 0; size = Math.floor(size / 2)) {
    try {
      files.push(await upload(size))
    } catch (cause) {
      refused.push(cause)
    }
  }
  // how many depends on the bytes that were there
  t.match(
    refused,
    refused.map(() => error)
  )
  const [first, ...others] = files
  if (first === undefined) throw new Error('there was no room at all')
  const batch = { input_file_id: first.id, endpoint: CHAT, completion_window: '24h' } as const
  await t.rejects(client.batches.create(batch), error, 'no room for answers')
  const ask = client.post('/chat/completions', { body: QUESTION, headers: { prefer: 'respond-async' } })
  await t.rejects(ask, error, 'nor for a request')
  for (const { id } of [first, ...others]) await client.files.delete(id)
  t.equal((await upload(10)).bytes, 10)
})

t.test('what belongs to somebody else does not exist', async t => {
  const made = async (body: object, key?: string): Promise<string> => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
    const response = await fetch(`${url}/v1/admin/keys`, { method: 'POST', body: JSON.stringify(body), headers })
    return (await response.json()).key
  }
  const admin = await made({ scopes: ['admin'] })
  const keys = await Promise.all(['a', 'b'].map(namespace => made({ namespace, scopes: ['inference'] }, admin)))
  const [a, b] = keys.map(clientOf)
  if (a === undefined || b === undefined) throw new Error('there are no keys')
  const batch = await begin(a, 1)
  const fileId = batch.input_file_id
  const hidden: readonly [what: string, work: () => PromiseLike<unknown>][] = [
    ['a file', () => b.files.retrieve(fileId)],
    ['its content', () => b.files.content(fileId)],
    ['its end', () => b.files.delete(fileId)],
    ['what comes after it', () => b.files.list({ after: fileId })],
    ['a batch of it', () => b.batches.create({ input_file_id: fileId, endpoint: CHAT, completion_window: '24h' })],
    ['a batch', () => b.batches.retrieve(batch.id)],
    ['its end', () => b.batches.cancel(batch.id)],
    ['what comes after it', () => b.batches.list({ after: batch.id })],
    ['its request', () => b.get(`/requests/${batch.id.replace('batch_', 'req_')}`)]
  ]
  for (const [what, work] of hidden) await t.rejects(Promise.resolve().then(work), { message: /^404/ }, what)
  t.same((await b.files.list()).data, [])
  t.same((await b.batches.list()).data, [])
  t.equal((await until(a, batch.id, ({ status }) => status === 'completed')).id, batch.id)
})
