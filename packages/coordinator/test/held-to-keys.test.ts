import { startPostgres } from '@resultity/test-postgres'
import OpenAI from 'openai'
import t, { type Test } from 'tap'
import { heldGenerator } from './support/held-generator.ts'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

/** The same attacks on a coordinator that has its database for itself, and on one that shares it. */
for (const dialect of ['SQLite', 'PostgreSQL'] as const) {
  t.test(`${dialect}: a key’s limits hold for whatever it makes`, t => attacks(t, dialect))
}

async function attacks(t: Test, dialect: 'SQLite' | 'PostgreSQL'): Promise<void> {
  const server = dialect === 'SQLite' ? undefined : await startPostgres()
  t.teardown(() => server?.stop())
  const store = server === undefined ? {} : { store: await server.createDatabase() }
  const generator = heldGenerator()
  const limits = { batchPollMs: 20, jobSweepMs: 100 }
  const mesh = await startScriptedMesh(1, { generator, limits, contextLength: 256, ...store })
  t.teardown(() => mesh[Symbol.asyncDispose]())
  const url = mesh.coordinator.httpUrl
  const ask = async (key: string, method: string, path: string, body?: object, headers = {}) => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...headers },
      ...init
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
  }
  const made = async (admin: string, body: object) => (await ask(admin, 'POST', '/v1/admin/keys', body)).body
  const { key: admin } = await made('none', { scopes: ['admin'] })
  const question = { ...QUESTION, max_tokens: 5 }
  const line = (id: string, body: object = {}) =>
    JSON.stringify({ custom_id: id, method: 'POST', url: CHAT, body: { ...question, ...body } })
  const clientOf = (apiKey: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
  const begin = async (client: OpenAI, lines: readonly string[]) => {
    const file = await client.files.create({ file: new File([lines.join('\n')], 'in.jsonl'), purpose: 'batch' })
    return await client.batches.create({ input_file_id: file.id, endpoint: CHAT, completion_window: '24h' })
  }
  const until = async (client: OpenAI, id: string, holds: (batch: OpenAI.Batch) => boolean) => {
    for (;;) {
      const batch = await client.batches.retrieve(id)
      if (holds(batch)) return batch
    }
  }
  const errorsOf = async (client: OpenAI, { error_file_id: id }: OpenAI.Batch) => {
    const text = await (await client.files.content(String(id))).text()
    return text
      .trimEnd()
      .split('\n')
      .map(one => JSON.parse(one))
  }
  const ended = ({ status }: OpenAI.Batch) =>
    !['validating', 'in_progress', 'finalizing', 'cancelling'].includes(status)
  /** Lets a batch look how far it is several times over. */
  const meanwhile = async (client: OpenAI, id: string) => {
    for (let look = 0; look < 50; look++) await client.batches.retrieve(id)
  }

  await t.test('a hundred lines take no more tokens in a minute than the key may', async t => {
    const price = (await ask(admin, 'POST', CHAT, question)).body.usage.prompt_tokens + 5
    const tokensMax = price + 3
    const { key } = await made(admin, { namespace: 'tokens', limits: { tokens_per_minute: tokensMax } })
    const client = clientOf(key)
    const before = generator.begun
    const lines = Array.from({ length: 100 }, (_, index) => line(`${index}`))
    const batch = await begin(client, [...lines, line('never', { max_tokens: tokensMax })])
    await until(client, batch.id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 0)
    await meanwhile(client, batch.id)
    const answered = generator.begun - before
    // what was really used is settled, so a short answer leaves room for one more
    t.ok(
      answered >= 1 && answered * (price - 4) <= tokensMax,
      `${answered} lines of ${price} tokens, ${tokensMax} may be`
    )
    const { body } = await ask(key, 'GET', '/v1/usage')
    t.ok(body.data[0].total_tokens <= tokensMax)
    await client.batches.cancel(batch.id)
    const cancelled = await until(client, batch.id, ended)
    t.match(cancelled, { status: 'cancelled' })
    t.ok((await errorsOf(client, cancelled)).length >= 100 - answered, 'the others waited')
  })

  await t.test('a line that could never fit fails by name', async t => {
    const { key } = await made(admin, { namespace: 'never', limits: { tokens_per_minute: 100, concurrent_jobs: 2 } })
    const client = clientOf(key)
    const batch = await begin(client, [line('long', { max_tokens: 200 }), line('wide', { n: 3, max_tokens: 1 })])
    const { request_counts: counts, ...rest } = await until(client, batch.id, ended)
    t.match(counts, { total: 2, failed: 2 })
    t.match(await errorsOf(client, { ...rest, request_counts: counts } as OpenAI.Batch), [
      { custom_id: 'long', error: { code: 'rate_limited', message: /may take \d+ tokens.*100 tokens in a minute/ } },
      { custom_id: 'wide', error: { code: 'rate_limited', message: /takes 3 places, and this key may 2/ } }
    ])
  })

  await t.test('a batch, a call of many requests, an ensemble and n have no more at work than the key may', async t => {
    const { key } = await made(admin, { namespace: 'jobs', limits: { concurrent_jobs: 4 } })
    const client = clientOf(key)
    generator.hold()
    const batch = await begin(
      client,
      Array.from({ length: 40 }, (_, index) => line(`${index}`))
    )
    await until(client, batch.id, () => generator.now > 0)
    await meanwhile(client, batch.id)
    t.ok(generator.now <= 3, 'a batch leaves a place to who waits')
    const waiting = ask(key, 'POST', CHAT, question)
    while (generator.now < 4) await client.batches.retrieve(batch.id)
    const refused = await ask(key, 'POST', CHAT, question)
    t.match(refused, { status: 429, body: { error: { code: 'rate_limited' } } }, 'lines count as what they are')
    const wide = await ask(key, 'POST', CHAT, { ...question, n: 8 })
    t.match(wide, { status: 429 }, 'and so does every choice')
    generator.let()
    t.equal((await waiting).status, 200)
    t.match(await until(client, batch.id, ended), { status: 'completed', request_counts: { completed: 40 } })
    t.ok(generator.most <= 4, `${generator.most} at once`)

    const one = await made(admin, { namespace: 'jobs', limits: { concurrent_jobs: 2 } })
    generator.hold()
    const requests = Array.from({ length: 10 }, (_, index) => JSON.parse(line(`${index}`)))
    const inline = ask(one.key, 'POST', '/v1/batch', { requests })
    while (generator.now < 2) await ask(one.key, 'GET', '/v1/models')
    for (let look = 0; look < 20; look++) await ask(one.key, 'GET', '/v1/models')
    t.equal(generator.now, 2)
    generator.let()
    t.match(await inline, { status: 200, body: { request_counts: { total: 10, completed: 10 } } })
    const ensemble = await ask(one.key, 'POST', CHAT, {
      ...question,
      models: Array(5).fill('tiny-chat'),
      strategy: 'all'
    })
    t.equal(ensemble.body.choices.length, 5)
    t.ok(generator.most <= 2, `${generator.most} at once`)
  })

  await t.test('nothing more is begun for a key that was revoked, and what was done stays', async t => {
    const limits = { concurrent_jobs: 4 }
    const { key, id } = await made(admin, { namespace: 'gone', limits })
    const reader = clientOf((await made(admin, { namespace: 'gone' })).key)
    generator.hold(3)
    const batch = await begin(
      clientOf(key),
      Array.from({ length: 30 }, (_, index) => line(`${index}`))
    )
    await until(reader, batch.id, ({ request_counts: counts }) => (counts?.completed ?? 0) > 2)
    await until(reader, batch.id, () => generator.now > 0)
    const queued = await ask(key, 'POST', CHAT, question, { prefer: 'respond-async' })
    const { begun } = generator
    t.equal((await ask(admin, 'POST', `/v1/admin/keys/${id}/revoke`)).status, 200)
    generator.let()
    const stopped = await until(reader, batch.id, ended)
    t.match(stopped, { status: 'failed', errors: { data: [{ code: 'batch_unauthorized' }] } })
    const { completed = 0, failed = 0, total } = stopped.request_counts ?? {}
    t.equal(total, 30)
    t.equal(completed + failed, 30)
    t.ok(completed >= 3)
    const output = await (await reader.files.content(String(stopped.output_file_id))).text()
    t.equal(output.trimEnd().split('\n').length, completed)
    const errors = await errorsOf(reader, stopped)
    t.equal(errors.length, failed)
    t.ok(
      errors.every(({ error }) => error.code === 'batch_unauthorized'),
      JSON.stringify(errors[0])
    )
    t.ok(generator.begun <= begun + 1, 'nothing was begun after it')
    t.equal(queued.status, 202)
  })

  await t.test('a request that waited while its key was revoked is refused when its turn comes', async t => {
    const { key, id } = await made(admin, { namespace: 'waits' })
    const reader = (await made(admin, { namespace: 'waits' })).key
    generator.hold()
    const asynchronous = { prefer: 'respond-async' }
    // as many as there are places, and one that waits
    const asked = await Promise.all(Array.from({ length: 21 }, () => ask(key, 'POST', CHAT, question, asynchronous)))
    const waits = async () => {
      const { body } = await ask(reader, 'GET', '/v1/requests?status=queued')
      return body.data[0]?.id as string | undefined
    }
    let waiting = await waits()
    while (waiting === undefined || generator.now < 20) waiting = await waits()
    t.equal((await ask(admin, 'POST', `/v1/admin/keys/${id}/revoke`)).status, 200)
    generator.let()
    for (const { body } of asked) {
      for (;;) {
        const { status, body: result } = await ask(reader, 'GET', `/v1/requests/${body.id}/result`)
        if (status === 202) continue
        if (body.id === waiting)
          t.match({ status, result }, { status: 401, result: { error: { code: 'invalid_api_key' } } })
        else t.equal(status, 200, 'what had begun ends')
        break
      }
    }
  })

  await t.test('who hangs up before the last token has had the others', async t => {
    const { key } = await made(admin, { namespace: 'hangs-up', limits: { tokens_per_minute: 1000 } })
    generator.hold()
    const controller = new AbortController()
    const answer = fetch(`${url}${CHAT}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ ...question, max_tokens: 100 }),
      signal: controller.signal
    }).catch(() => {})
    while (generator.now === 0) await ask(key, 'GET', '/v1/models')
    controller.abort()
    await answer
    while (generator.now > 0) await ask(key, 'GET', '/v1/models')
    for (let look = 0; look < 20; look++) {
      const { headers } = await ask(key, 'GET', '/v1/models')
      t.ok(Number(headers.get('x-ratelimit-remaining-tokens')) <= 900)
    }
    generator.let()
  })
}
