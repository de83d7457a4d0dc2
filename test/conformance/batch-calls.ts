import type OpenAI from 'openai'
import { toFile } from 'openai'
import type { Test } from 'tap'
import { eventually } from '../mesh-state.ts'
import { failureOf, LONG, MODEL, type Question } from './questions.ts'

const CHAT = '/v1/chat/completions'
const WINDOW = '24h'

/** A client of some version, with its own classes of errors. */
export interface Client {
  readonly client: OpenAI
  readonly errors: typeof OpenAI
}

const line = (id: string, content: string, rest: object = {}): string => {
  const body = { model: MODEL, temperature: 0, messages: [{ role: 'user', content }], ...rest }
  return JSON.stringify({ custom_id: id, method: 'POST', url: CHAT, body })
}

const upload = async ({ client }: Client, bytes: Buffer, name: string): Promise<OpenAI.FileObject> =>
  await client.files.create({ file: await toFile(bytes, name), purpose: 'batch' })

const linesOf = async ({ client }: Client, fileId: string | undefined) => {
  const text = await (await client.files.content(String(fileId))).text()
  return text
    .trimEnd()
    .split('\n')
    .map(one => JSON.parse(one))
}

const untilEnded = ({ client }: Client, id: string): Promise<OpenAI.Batch> =>
  eventually(
    `the end of ${id}`,
    () => client.batches.retrieve(id),
    ({ status }) => ['completed', 'failed', 'expired', 'cancelled'].includes(status)
  )

/** A file from its upload to its deletion. */
export async function files(t: Test, { client, errors }: Client): Promise<void> {
  const bytes = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 256))
  const file = await upload({ client, errors }, bytes, '../../etc/passwd')
  t.match(file, { object: 'file', purpose: 'batch', bytes: bytes.length, filename: /passwd$/ })
  t.match(await client.files.retrieve(file.id), { id: file.id, filename: file.filename })
  const content = await client.files.content(file.id)
  t.ok(bytes.equals(Buffer.from(await content.arrayBuffer())), 'the bytes come back as they were')
  const second = await upload({ client, errors }, Buffer.from('x'), 'x.jsonl')
  const listed: string[] = []
  for await (const { id } of client.files.list({ limit: 1, purpose: 'batch' })) listed.push(id)
  t.ok(listed.indexOf(second.id) < listed.indexOf(file.id), 'the newest first, over several pages')
  for (const id of [file.id, second.id]) t.match(await client.files.delete(id), { id, deleted: true })
  t.ok((await failureOf(client.files.retrieve(file.id))) instanceof errors.NotFoundError)
  t.ok((await failureOf(client.files.delete(file.id))) instanceof errors.NotFoundError)
}

/** A batch whose wrong lines fail alone, and one that is cancelled. */
export async function batches(t: Test, one: Client, questions: readonly Question[]): Promise<void> {
  const { client, errors } = one
  const good = questions.map(({ question }, index) => line(`q-${index}`, question))
  const wrong = ['{"custom_id": "broken', line('q-0', 'again'), line('streamed', 'a', { stream: true }), '"\xff\xfe"']
  const bytes = Buffer.concat([Buffer.from(`${good.join('\n')}\n`), Buffer.from(wrong.join('\n'), 'latin1')])
  const input = await upload(one, bytes, 'a.jsonl')
  const made = await client.batches.create({
    input_file_id: input.id,
    endpoint: CHAT,
    completion_window: WINDOW,
    metadata: { team: 'a' }
  })
  t.match(made, { object: 'batch', status: 'validating', metadata: { team: 'a' }, input_file_id: input.id })
  t.ok((await failureOf(client.files.delete(input.id))) instanceof errors.BadRequestError, 'a batch reads it')
  const done = await untilEnded(one, made.id)
  t.match(done, { status: 'completed', request_counts: { total: 6, completed: 2, failed: 4 } })
  const answers = await linesOf(one, done.output_file_id)
  t.same(
    answers.map(({ custom_id, response }) => [custom_id, response.body.choices[0].message.content]),
    questions.map(({ answer }, index) => [`q-${index}`, answer])
  )
  const failed = await linesOf(one, done.error_file_id)
  t.same(
    failed.map(({ custom_id, response }) => [custom_id, response]),
    [null, 'q-0', 'streamed', null].map(id => [id, null]),
    'wrong lines fail alone'
  )
  const listed = await client.batches.list({ limit: 1 })
  t.equal(listed.data[0]?.id, made.id)
  t.match(await client.batches.cancel(made.id), { status: 'completed' }, 'one that has ended stays as it is')
}

/** A batch that is ended midway. */
export async function cancelledBatch(t: Test, one: Client): Promise<void> {
  const { client } = one
  const lines = Array.from({ length: 50 }, (_, index) => line(`${index}`, 'a', LONG))
  const input = await upload(one, Buffer.from(lines.join('\n')), 'long.jsonl')
  const { id } = await client.batches.create({ input_file_id: input.id, endpoint: CHAT, completion_window: WINDOW })
  await eventually(
    'a batch that is at work',
    () => client.batches.retrieve(id),
    ({ status }) => status === 'in_progress'
  )
  t.match(await client.batches.cancel(id), { status: /^cancell(ing|ed)$/ })
  const done = await untilEnded(one, id)
  t.match(done, { status: 'cancelled', request_counts: { total: 50 } })
  const { completed = 0, failed = 0 } = done.request_counts ?? {}
  t.equal(completed + failed, 50, 'every line is accounted for')
  t.equal((await linesOf(one, done.error_file_id)).length, failed)
}

/** What is refused, by the classes that clients look at. */
export async function refusals(t: Test, { client, errors }: Client): Promise<void> {
  const file = await upload({ client, errors }, Buffer.from(line('a', 'a')), 'a.jsonl')
  const create = (fields: object) =>
    client.batches.create({ input_file_id: file.id, endpoint: CHAT, completion_window: WINDOW, ...fields })
  const form = (body: string) =>
    client.post('/files', { body, headers: { 'content-type': 'multipart/form-data; boundary=x' } })
  const cases: readonly [
    work: () => PromiseLike<unknown>,
    kind: abstract new (...of: never) => Error,
    param: unknown
  ][] = [
    [
      () => client.files.create({ file: new File(['x'], 'x'), purpose: 'fun' as 'batch' }),
      errors.BadRequestError,
      'purpose'
    ],
    [() => form('garbage'), errors.BadRequestError, undefined],
    [() => client.files.list({ after: 'file-garbage' }), errors.NotFoundError, undefined],
    [() => client.files.content('file-nobody'), errors.NotFoundError, 'file_id'],
    [() => create({ input_file_id: 'file-nobody' }), errors.NotFoundError, 'input_file_id'],
    [() => create({ endpoint: '/v1/videos' }), errors.BadRequestError, 'endpoint'],
    [() => create({ completion_window: '1h' }), errors.BadRequestError, 'completion_window'],
    [() => client.batches.retrieve('batch_nobody'), errors.NotFoundError, 'batch_id'],
    [() => client.batches.cancel('batch_nobody'), errors.NotFoundError, 'batch_id'],
    [() => client.batches.list({ after: 'batch_garbage' }), errors.NotFoundError, undefined]
  ]
  for (const [work, kind, param] of cases) {
    const error = await failureOf(work())
    t.ok(error instanceof kind, `${work}: ${error}`)
    if (param !== undefined) t.match(error, { param }, `${work}`)
  }
}
