import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type DescriptionJob, type DescriptionResult, MeshError, readDescriptionJob } from '@resultity/interface'
import { PictureCodec } from '@resultity/pictures'
import { eventually, openAiErrors } from '@resultity/test-api'
import t from 'tap'
import { answering, startJobMesh } from './support/job-mesh.ts'

const fixtures = join(import.meta.dirname, '../../..', 'blip/test/fixtures')
const PATH = '/v1/images/description'
const CAPTIONER = 'tiny-captioner'
const ANSWERER = 'tiny-answerer'

/** Made by scripts/reference-blip.py with Pillow. */
const pictures: { readonly sizes: readonly (readonly [number, number])[]; readonly resized: readonly string[] } =
  JSON.parse(await readFile(join(fixtures, 'pictures.json'), 'utf8'))

/** The picture of the reference, by its formula. */
function drawn(width: number, height: number) {
  const rgb = Uint8Array.from({ length: 3 * width * height }, (_, index) => {
    const c = index % 3
    const x = Math.floor(index / 3) % width
    const y = Math.floor(index / (3 * width))
    const checks = ((Math.floor(x / 5) + Math.floor(y / 7)) % 2) * 90
    return (x * 7 + y * 13 + c * 50 + ((x * y * (c + 1)) % 61) * 3 + checks) % 256
  })
  return { width, height, rgb }
}

const [width = 0, height = 0] = pictures.sizes[0] ?? []
const png = Buffer.from(await new PictureCodec().encode(drawn(width, height), { format: 'png' }))
const dataUrl = `data:image/png;base64,${png.toString('base64')}`
const image = new Blob([png])

/** Ids of "two cats" in the fixture's vocabulary, and what they are written as. */
const { model: words } = JSON.parse(await readFile(join(fixtures, 'tiny-captioner/tokenizer.json'), 'utf8'))
const tokens: number[] = ['two', 'cats'].map(word => words.vocab[word])
const described: DescriptionResult = { tokens, finish: 'stop' }
/** Parts of a picture of 32 pixels a side that the model looks at. */
const LOOKED_AT = 17

const mesh = await startJobMesh(
  t,
  1,
  answering(() => described),
  { models: [`file:${join(fixtures, 'tiny-captioner')}`, `file:${join(fixtures, 'tiny-answerer')}`] }
)
t.beforeEach(() => mesh.reset())

type Fields = Readonly<Record<string, string | Blob>>

function form(fields: Fields, headers: Record<string, string> = {}): Promise<Response> {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Blob) body.append(name, value, 'picture.png')
    else body.append(name, value)
  }
  return fetch(`${mesh.url}${PATH}`, { method: 'POST', body, headers })
}

function json(body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${mesh.url}${PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: CAPTIONER, ...body })
  })
}

function lastJob(): DescriptionJob {
  const job = mesh.jobs.at(-1)
  if (job === undefined) throw new Error('no job')
  return readDescriptionJob(job.request.body)
}

t.test('a picture is brought to the size of the model, and described', async t => {
  const response = await form({ image, model: CAPTIONER, max_tokens: '9', seed: '5' })
  t.equal(response.status, 200)
  t.strictSame(await response.json(), {
    description: 'two cats',
    model: CAPTIONER,
    usage: { prompt_tokens: LOOKED_AT, completion_tokens: 2, total_tokens: LOOKED_AT + 2 }
  })
  t.match(response.headers.get('x-resultity-route'), new RegExp(`^${mesh.nodes[0]?.peerId}\\[0,5\\)$`))
  const { rgb, ...settings } = lastJob()
  t.equal(Buffer.compare(rgb, Buffer.from(pictures.resized[0] ?? '', 'base64')), 0, 'as the reference resizes it')
  t.strictSame(settings, {
    prompt: [],
    tokensMax: 9,
    tokensMin: 0,
    temperature: 0,
    topP: 1,
    repetitionPenalty: 1,
    seed: '5'
  })
})

t.test('a picture comes in every form that pictures have', async t => {
  const upload = new FormData()
  upload.append('file', image, 'picture.png')
  upload.append('purpose', 'user_data')
  const { id } = await (await fetch(`${mesh.url}/v1/files`, { method: 'POST', body: upload })).json()
  const bodies = {
    'a data URL': { image: dataUrl },
    'a file': { image: id },
    'a file by its name': { file: { file_id: id } },
    'a part of a chat': { image: { image_url: { url: dataUrl } } }
  }
  for (const [name, body] of Object.entries(bodies)) {
    t.match(await (await json(body)).json(), { description: 'two cats' }, name)
  }
  t.match(await (await form({ file: image, model: CAPTIONER })).json(), { description: 'two cats' })
  t.match(await (await form({ image: id, model: CAPTIONER })).json(), { description: 'two cats' })
  t.equal((await fetch(`${mesh.url}/v1/files/${id}`)).status, 200, 'what was uploaded stays')
  await fetch(`${mesh.url}/v1/files/${id}`, { method: 'DELETE' })
  await untilGone()
})

t.test('a prompt begins a caption, and is the question of a model that answers', async t => {
  const begun = await (await json({ image: dataUrl, prompt: 'A photography of', temperature: 0.7 })).json()
  t.equal(begun.description, 'a photography of two cats')
  t.equal(begun.usage.prompt_tokens, LOOKED_AT + 3)
  t.match(lastJob(), { prompt: [10, words.vocab.photography, words.vocab.of], temperature: 0.7, question: undefined })
  const answer = await (await json({ image: dataUrl, model: ANSWERER, prompt: 'how many dogs?' })).json()
  t.match(answer, { description: 'two cats', model: ANSWERER })
  const { question, prompt } = lastJob()
  t.strictSame(prompt, [])
  t.equal(question?.length, 2 + 4, 'framed')
  const none = await json({ image: dataUrl, model: ANSWERER })
  t.equal(none.status, 400)
  t.match(await none.json(), { error: { param: 'prompt', message: /answers questions/ } })
})

t.test('what is wrong is said, naming the field, before any node hears of it', async t => {
  const picture = (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes])
  const huge = Buffer.from(png)
  // the head of a picture of ten gigapixels
  huge.writeUInt32BE(100_000, 16)
  huge.writeUInt32BE(100_000, 20)
  const forms: Readonly<Record<string, readonly [Fields, string, RegExp?]>> = {
    'no picture': [{ model: CAPTIONER }, 'image'],
    'an empty file': [{ model: CAPTIONER, image: picture(new Uint8Array(0)) }, 'image'],
    'no picture at all': [{ model: CAPTIONER, image: new Blob(['hello, this is no picture, is it?']) }, 'image'],
    'an SVG': [{ model: CAPTIONER, image: new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>']) }, 'image'],
    'half a picture': [{ model: CAPTIONER, image: picture(png.subarray(0, png.length >> 1)) }, 'image'],
    'ten gigapixels': [{ model: CAPTIONER, file: picture(huge) }, 'file'],
    'two pictures': [{ model: CAPTIONER, image, file: image }, 'file', /two pictures/],
    'no number': [{ model: CAPTIONER, image, max_tokens: 'many' }, 'max_tokens'],
    'too many tokens': [{ model: CAPTIONER, image, max_tokens: '1000000000' }, 'max_tokens'],
    'too hot': [{ model: CAPTIONER, image, temperature: '3' }, 'temperature']
  }
  for (const [name, [fields, param, message = /./]] of Object.entries(forms)) {
    const response = await form(fields)
    const body = await response.json()
    t.equal(response.status, 400, `${name}: ${JSON.stringify(body)}`)
    t.match(body, { error: { param, message, type: 'invalid_request_error' } }, name)
    t.same(openAiErrors('ErrorResponse', body), [], name)
  }
  const bodies: Readonly<Record<string, readonly [object, string, RegExp?]>> = {
    'an address': [{ image: 'https://example.org/cat.png' }, 'image', /address.*none is fetched/],
    'an address as in chats': [{ image: { image_url: { url: 'http://127.0.0.1:1/' } } }, 'image', /none is fetched/],
    'a file that is not there': [{ image: 'file-0000' }, 'image'],
    'no base64': [{ image: 'data:image/png;base64,*' }, 'image'],
    'a number': [{ image: 5 }, 'image'],
    'a stream': [{ image: dataUrl, stream: true }, 'stream', /not streamed/],
    'a long prompt': [{ image: dataUrl, prompt: 'cats '.repeat(100) }, 'prompt'],
    'a model of another kind is named': [{ image: dataUrl, min_tokens: 9, max_tokens: 8 }, 'min_tokens']
  }
  for (const [name, [sent, param, message = /./]] of Object.entries(bodies)) {
    const response = await json(sent)
    const body = await response.json()
    t.equal(response.status, 400, `${name}: ${JSON.stringify(body)}`)
    t.match(body, { error: { param, message } }, name)
  }
  const unnamed = await json({ model: null, image: dataUrl })
  t.match(await unnamed.json(), { error: { param: 'model', message: /names no model/ } })
  const large = await form({ model: CAPTIONER, image: new Blob([png, Buffer.alloc(25 * 1024 * 1024)]) })
  t.equal(large.status, 413)
  t.equal(mesh.jobs.length, 0)
  await untilGone()
})

t.test('a client may come back for it, and what repeats a request is told by its picture', async t => {
  const headers = { prefer: 'respond-async', 'idempotency-key': 'once' }
  const accepted = await form({ image, model: CAPTIONER }, headers)
  t.equal(accepted.status, 202)
  const { id, response_url: url } = await accepted.json()
  const again = await form({ image, model: CAPTIONER }, headers)
  t.equal((await again.json()).id, id)
  t.equal((await form({ image, model: CAPTIONER, prompt: 'else' }, headers)).status, 422)
  const result = await eventually(
    'there is an answer',
    () => fetch(`${mesh.url}${url}`),
    ({ status }) => status !== 202
  )
  t.match(await result.json(), { description: 'two cats' })
  const { usage } = await (await fetch(`${mesh.url}/v1/requests/${id}`)).json()
  t.same(usage, { prompt_tokens: LOOKED_AT, completion_tokens: 2, total_tokens: LOOKED_AT + 2 })
  await untilGone()
})

t.test('lines of batches ask for descriptions', async t => {
  const line = { custom_id: 'a', method: 'POST', url: PATH, body: { image: dataUrl, model: CAPTIONER } }
  const wrong = { ...line, custom_id: 'b', body: { ...line.body, image: 'https://example.org/cat.png' } }
  const upload = new FormData()
  upload.append('file', new Blob([[line, wrong].map(one => JSON.stringify(one)).join('\n')]), 'batch.jsonl')
  upload.append('purpose', 'batch')
  const { id } = await (await fetch(`${mesh.url}/v1/files`, { method: 'POST', body: upload })).json()
  const created = await fetch(`${mesh.url}/v1/batches`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input_file_id: id, endpoint: PATH, completion_window: '24h' })
  })
  const accepted = await created.json()
  t.equal(created.status, 200, JSON.stringify(accepted))
  const batch = await eventually(
    'the batch ends',
    async () => await (await fetch(`${mesh.url}/v1/batches/${accepted.id}`)).json(),
    ({ status }) => ['completed', 'failed'].includes(status)
  )
  const contentOf = async (file: string) =>
    JSON.parse(await (await fetch(`${mesh.url}/v1/files/${file}/content`)).text())
  t.match(await contentOf(batch.output_file_id), { custom_id: 'a', response: { body: { description: 'two cats' } } })
  t.match(await contentOf(batch.error_file_id), { custom_id: 'b', error: { message: /none is fetched/ } })
  for (const one of [id, batch.output_file_id, batch.error_file_id]) {
    await fetch(`${mesh.url}/v1/files/${one}`, { method: 'DELETE' })
  }
})

t.test('a node that fails, or gives what no model gives, is told of', async t => {
  mesh.script = answering(() => ({ tokens: [4_000_000], finish: 'stop' }))
  const wrong = await json({ image: dataUrl })
  t.equal(wrong.status, 502)
  t.match(await wrong.json(), { error: { code: 'protocol_violation' } })
  mesh.script = async job => {
    await job.send({ type: 'error', sequence: 0, error: new MeshError('engine_failed', 'it broke') })
  }
  t.ok((await json({ image: dataUrl })).status >= 500)
})

/** Resolves once nothing is stored of any picture. */
async function untilGone(): Promise<void> {
  const contents = async (): Promise<string[]> => {
    const names = await readdir(join(mesh.dataDir, 'content'), { recursive: true })
    return names.filter((name: string) => name.includes('cnt_'))
  }
  await eventually('no picture is stored', contents, names => names.length === 0)
}
