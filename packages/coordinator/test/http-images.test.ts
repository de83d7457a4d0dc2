import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  MeshError,
  type PictureJob,
  readPictureJob,
  type writePictureEvent as WriteEvent,
  writePictureEvent,
  writePictureResult
} from '@resultity/interface'
import { PictureCodec } from '@resultity/pictures'
import { checkFetches, eventually, openAiErrors } from '@resultity/test-api'
import type { ScriptedJob } from '@resultity/test-nodes'
import t, { type Test } from 'tap'
import { type JobScript, startJobMesh } from './support/job-mesh.ts'

const fixtures = join(import.meta.dirname, '../../..')
const painter = `file:${join(fixtures, 'diffusion-model/test/fixtures/tiny-sd')}`
const encoder = `file:${join(fixtures, 'model/test/fixtures/tiny-encoder')}`
const MODEL = 'tiny-sd'
const GENERATIONS = '/v1/images/generations'
const EDITS = '/v1/images/edits'
const VARIATIONS = '/v1/images/variations'

const codec = new PictureCodec()
const param = 'image'

type Rgb = readonly [red: number, green: number, blue: number]

function plain({ width, height }: { width: number; height: number }, colour: Rgb): Uint8Array {
  return Uint8Array.from({ length: 3 * width * height }, (_, at) => colour[at % 3] ?? 0)
}

const jobOf = ({ request }: ScriptedJob): PictureJob => readPictureJob(request.body)

/** Whatever a node draws: a colour for each picture, and a grey for each step that is shown. */
const colourOf = (picture: number): Rgb => [40 * picture, 100, 200]

/** Draws step by step, as a node does. @param before each step */
function drawing(before: (job: PictureJob, step: number) => Promise<void> | void = () => {}): JobScript {
  return async scripted => {
    const job = jobOf(scripted)
    let sequence = 0
    const tell = (event: Parameters<typeof WriteEvent>[0]) =>
      scripted.send({ type: 'chunk', sequence: sequence++, chunk: writePictureEvent(event) })
    await scripted.send({ type: 'started', sequence: sequence++ })
    const skipped = job.start === undefined ? 0 : job.steps - Math.floor(job.steps * job.start.strength)
    for (let step = skipped + 1; step <= job.steps; step++) {
      await before(job, step)
      if (job.previews.includes(step)) await tell({ type: 'preview', step, rgb: plain(job, [step, step, step]) })
      await tell({ type: 'step', step })
    }
    const { width, height } = job
    const result = writePictureResult(plain(job, colourOf(job.picture)), { width, height })
    await scripted.send({ type: 'result', sequence, result })
  }
}

const mesh = await startJobMesh(t, 1, drawing(), { models: [painter, encoder] })
const check = checkFetches(mesh.url)
t.beforeEach(() => mesh.reset())

type Value = string | Blob | readonly (string | Blob)[]
interface Sent {
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

const post = (body: unknown, { path = GENERATIONS, headers, ...options }: Sent = {}) =>
  fetch(`${mesh.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    ...options,
    headers: { 'content-type': 'application/json', ...headers }
  })

function postForm(fields: Record<string, Value>, { path = EDITS, ...options }: Sent = {}) {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value].flat()) {
      if (one instanceof Blob) form.append(name, one, 'photo.png')
      else form.append(name, one as string)
    }
  }
  return fetch(`${mesh.url}${path}`, { method: 'POST', body: form, ...options })
}

async function answered(t: Test, response: Response) {
  const body = await response.json()
  t.equal(response.status, 200, JSON.stringify(body).slice(0, 400))
  t.same(openAiErrors('ImagesResponse', body), [])
  return body
}

async function pixelsOf(bytes: Uint8Array): Promise<{ width: number; height: number; colour: number[] }> {
  const { width, height, rgb } = await codec.decode(bytes, { param })
  return { width, height, colour: Array.from(rgb.subarray(0, 3)) }
}

const ofBase64 = (text: string): Buffer => Buffer.from(text, 'base64')

const sixteen = { width: 16, height: 16 }
const photo = await codec.encode(
  { width: 32, height: 16, rgb: plain({ width: 32, height: 16 }, [9, 99, 199]) },
  { format: 'png' }
)
const photoBlob = new Blob([new Uint8Array(photo)])
const dataUrl = `data:image/png;base64,${Buffer.from(photo).toString('base64')}`

/** As large as the photo, transparent in its left half. */
const holed = await (async () => {
  const { default: sharp } = await import('sharp')
  const rgba = Buffer.alloc(4 * 32 * 16, 255)
  for (let pixel = 0; pixel < 32 * 16; pixel++) if (pixel % 32 < 16) rgba[4 * pixel + 3] = 0
  const file = await sharp(rgba, { raw: { width: 32, height: 16, channels: 4 } })
    .png()
    .toBuffer()
  return new Blob([new Uint8Array(file)])
})()

t.test('a text is drawn, and the answer links to the picture', async t => {
  const response = await post({ prompt: 'a cat', seed: 7, steps: 4, size: '32x16' })
  t.equal(response.headers.get('x-resultity-route'), `${mesh.nodes[0]?.peerId}[0,12)`)
  const body = await answered(t, response)
  const values = {
    model: MODEL,
    size: '32x16',
    seed: 7,
    steps: 4,
    scheduler: 'dpmpp_2m',
    guidance_scale: 7.5,
    guidance_rescale: 0
  }
  t.match(body, { background: 'opaque', output_format: 'png', mesh: values, usage: { output_tokens: 1 } })
  t.notOk('size' in body || 'quality' in body)
  const [{ url }] = body.data
  t.ok(url.startsWith(`${mesh.url}/v1/images/files/file-`), url)
  const picture = await fetch(url)
  t.equal(picture.status, 200)
  t.match(Object.fromEntries(picture.headers), {
    'content-type': 'image/png',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'cross-origin',
    'cache-control': /^private/
  })
  const bytes = new Uint8Array(await picture.arrayBuffer())
  t.same(await pixelsOf(bytes), { width: 32, height: 16, colour: [...colourOf(0)] })
  t.match(Buffer.from(bytes).toString('latin1'), JSON.stringify({ ...values, picture: 0 }), 'it says how it was made')
  const job = mesh.jobs[0] && jobOf(mesh.jobs[0])
  t.match(job, { seed: '7', steps: 4, width: 32, height: 16, guidance: 7.5, picture: 0, previews: [] })
  t.equal(job?.prompt[0]?.length, 1)
  const { data: files } = await (await fetch(`${mesh.url}/v1/files`)).json()
  t.same(files, [], 'it is no file of the client')
  for (const wrong of [
    url.replace('expires=', 'expires=1'),
    url.replace(/.$/, '_'),
    url.replace(/signature=.*/, 'signature=x')
  ]) {
    t.equal((await fetch(wrong)).status, 403)
  }
  t.equal((await fetch(url.replace(/\?.*/, ''))).status, 400)
  t.equal((await fetch(url.replace(/file-\w+/, 'file-none'))).status, 404)
})

t.test('every form, and n pictures in their order, whichever is done first', async t => {
  for (const format of ['png', 'jpeg', 'webp']) {
    const asked = {
      prompt: 'a',
      n: 3,
      steps: 2,
      response_format: 'b64_json',
      output_format: format,
      output_compression: 100
    }
    let done = 0
    mesh.script = drawing(async ({ picture }, step) => {
      // the first begins last
      if (picture === 0 && step === 1)
        await eventually(
          'others are done',
          async () => done,
          count => count >= 2
        )
      if (step === 2) done++
    })
    const body = await answered(t, await post(asked))
    t.match(body, { output_format: format, data: [{}, {}, {}] })
    for (const [index, { b64_json: text }] of body.data.entries()) {
      const { colour, ...size } = await pixelsOf(ofBase64(text))
      t.same(size, { width: 64, height: 64 }, 'as the model was trained')
      const off = Math.max(...colour.map((value, at) => Math.abs(value - (colourOf(index)[at] ?? 0))))
      t.ok(off <= 3, `${format} ${index}: ${colour}`)
    }
  }
  t.same(
    mesh.jobs.map(job => jobOf(job).picture).toSorted((a, b) => a - b),
    [0, 0, 0, 1, 1, 1, 2, 2, 2]
  )
})

t.test('what a request says reaches the nodes, and comes back', async t => {
  const asked = {
    prompt: 'a cat '.repeat(60),
    negative_prompt: 'dogs',
    steps: 3,
    scheduler: 'euler',
    guidance_scale: 2.5,
    guidance_rescale: 0.5,
    response_format: 'b64_json',
    quality: 'standard',
    user: 'me',
    style: 'vivid',
    moderation: 'low'
  }
  // a number that JavaScript does not hold
  const text = JSON.stringify(asked).replace('{', '{"seed":-9223372036854775808,')
  const headers = { 'content-type': 'application/json' }
  const body = await answered(t, await fetch(`${mesh.url}${GENERATIONS}`, { method: 'POST', headers, body: text }))
  t.equal(body.mesh.seed, '-9223372036854775808', 'its digits')
  t.match(body, { quality: 'medium', mesh: { scheduler: 'euler', guidance_scale: 2.5, guidance_rescale: 0.5 } })
  const [job] = mesh.jobs.map(jobOf)
  t.match(job, { seed: '9223372036854775808', steps: 3, scheduler: 'euler', guidance: 2.5, guidanceRescale: 0.5 })
  t.ok((job?.prompt[0]?.length ?? 0) > 1, 'longer prompts are several chunks')
  t.equal(job?.negative[0]?.length, job?.prompt[0]?.length)
  const again = await answered(t, await post({ prompt: 'a', steps: 1, response_format: 'b64_json' }))
  t.type(again.mesh.seed, 'number', 'a seed that nobody sent')
})

/** The events of a stream. */
async function eventsOf(response: Response) {
  const events = [...(await response.text()).matchAll(/^data: (.*)$/gm)]
  return events.map(([, data]) => JSON.parse(data ?? ''))
}

t.test('a stream shows pictures on the way', async t => {
  const asked = { prompt: 'a', stream: true, partial_images: 3, steps: 8, n: 2, size: '32x32' }
  const response = await post(asked)
  t.match(response.headers.get('content-type'), /^text\/event-stream/)
  const events = await eventsOf(response)
  const partials = events.filter(({ type }) => type === 'image_generation.partial_image')
  const completed = events.filter(({ type }) => type === 'image_generation.completed')
  t.same([partials.length, completed.length, events.length], [6, 2, 8])
  for (const event of partials) t.same(openAiErrors('ImageGenPartialImageEvent', event), [])
  for (const event of completed) t.same(openAiErrors('ImageGenCompletedEvent', event), [])
  for (const index of [0, 1]) {
    const own = partials.filter(one => one.index === index)
    t.same(
      own.map(one => one.partial_image_index),
      [0, 1, 2]
    )
    const shown = await Promise.all(own.map(one => pixelsOf(ofBase64(one.b64_json))))
    t.same(
      shown.map(({ colour }) => colour[0]),
      [2, 4, 6],
      'evenly'
    )
    const { colour } = await pixelsOf(ofBase64(completed[index].b64_json))
    t.same(colour, [...colourOf(index)])
  }
  t.match(completed[0], { size: 'auto', quality: 'auto', usage: { output_tokens: 1 } })
})

t.test('the steps of a picture are in the log of its request', async t => {
  const accepted = await post({ prompt: 'a', steps: 4 }, { headers: { prefer: 'respond-async' } })
  t.equal(accepted.status, 202)
  const { id } = await accepted.json()
  const result = await eventually(
    'there is an answer',
    () => fetch(`${mesh.url}/v1/requests/${id}/result`),
    ({ status }) => status !== 202
  )
  const { data } = await result.json()
  t.equal((await fetch(data[0].url)).status, 200)
  const log = await (await fetch(`${mesh.url}/v1/requests/${id}/events`)).text()
  const steps = [...log.matchAll(/^data: (.*"step".*)$/gm)].map(([, one]) => JSON.parse(one ?? ''))
  t.same(
    steps.map(one => one.data?.step ?? one.step),
    [1, 2, 3, 4]
  )
  const { usage } = await (await fetch(`${mesh.url}/v1/requests/${id}`)).json()
  t.match(usage, { completion_tokens: 1 })
})

t.test('a picture is drawn anew: from a form, a data URL, or an uploaded file', async t => {
  const form = new FormData()
  form.append('file', photoBlob, 'photo.png')
  form.append('purpose', 'vision')
  const { id } = await (await fetch(`${mesh.url}/v1/files`, { method: 'POST', body: form })).json()
  const common = { prompt: 'a', steps: '10' }
  const json = { prompt: 'a', steps: 10 }
  const requests: Record<string, () => Promise<Response>> = {
    image: () => postForm({ ...common, image: photoBlob }),
    'image[]': () => postForm({ ...common, 'image[]': photoBlob, n: '1', stream: 'false' }),
    'a file id in a form': () => postForm({ ...common, image: id }),
    'a data URL in a form': () => postForm({ ...common, image: dataUrl }),
    'a data URL': () => post({ ...json, images: [{ image_url: dataUrl }] }, { path: EDITS }),
    'a file id': () => post({ ...json, images: [{ file_id: id }] }, { path: EDITS })
  }
  for (const [name, request] of Object.entries(requests)) {
    mesh.reset()
    const body = await answered(t, await request())
    t.match(body.mesh, { strength: 0.8, steps: 10 }, name)
    const [job] = mesh.jobs.map(jobOf)
    // as large as the picture, which has fewer pixels than the model was trained for
    t.same([job?.width, job?.height], [32, 16], name)
    t.equal(job?.start?.strength, 0.8)
    t.same(Array.from(job?.start?.rgb.subarray(0, 3) ?? []), [9, 99, 199])
    t.equal(job?.start?.mask, undefined)
  }
  t.equal((await fetch(`${mesh.url}/v1/files/${id}`)).status, 200, 'an uploaded file stays')
  await fetch(`${mesh.url}/v1/files/${id}`, { method: 'DELETE' })
})

t.test('a mask says what is painted, and so does what is transparent in the picture', async t => {
  const common = { prompt: 'a', size: '32x16', steps: '4' }
  const left = (mask: Uint8Array | undefined) => mask?.every((value, at) => value === (at % 32 < 16 ? 255 : 0))
  const body = await answered(t, await postForm({ ...common, image: photoBlob, mask: holed }))
  t.equal(body.mesh.strength, 1)
  t.ok(left(jobOf(mesh.jobs[0] as ScriptedJob).start?.mask))
  await answered(t, await postForm({ ...common, image: holed }))
  t.ok(left(jobOf(mesh.jobs[1] as ScriptedJob).start?.mask))
  const events = await eventsOf(await postForm({ ...common, image: holed, stream: 'true', partial_images: '1' }))
  t.same(
    events.map(({ type }) => type),
    ['image_edit.partial_image', 'image_edit.completed']
  )
  t.same(openAiErrors('ImageEditPartialImageEvent', events[0]), [])
  t.same(openAiErrors('ImageEditCompletedEvent', events[1]), [])
})

t.test('variations need no text', async t => {
  const body = await answered(
    t,
    await postForm({ image: photoBlob, n: '2', size: '16x16', steps: '5' }, { path: VARIATIONS })
  )
  t.match(body, { data: [{}, {}], mesh: { strength: 0.6 } })
  const [job] = mesh.jobs.map(jobOf)
  t.match(job, { width: 16, height: 16, start: { strength: 0.6 } })
  t.same(job?.prompt, job?.negative)
  const json = await answered(
    t,
    await post({ image: dataUrl, steps: 5, response_format: 'b64_json' }, { path: VARIATIONS })
  )
  t.equal(json.data.length, 1)
})

t.test('what was sent before is drawn once, also a form', async t => {
  const headers = { 'idempotency-key': 'once' }
  const form = { prompt: 'a', image: photoBlob, steps: '2' }
  const first = await answered(t, await postForm(form, { headers }))
  const again = await postForm(form, { headers })
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.same(await again.json(), first)
  t.equal(mesh.jobs.length, 1)
  t.equal((await postForm({ ...form, image: holed }, { headers })).status, 422, 'another picture is another request')
})

t.test('a client that hangs up ends the work; one that comes back later does not', async t => {
  mesh.script = async job => job.send({ type: 'started', sequence: 0 })
  const controller = new AbortController()
  const asked = post({ prompt: 'a' }, { signal: controller.signal })
  const begun = (count: number) =>
    eventually(
      'jobs come',
      async () => mesh.jobs.length,
      length => length === count
    )
  await begun(1)
  controller.abort()
  await t.rejects(asked)
  await mesh.jobs[0]?.ended
  mesh.script = drawing()
  const { id } = await (await post({ prompt: 'a', steps: 2 }, { headers: { prefer: 'respond-async' } })).json()
  const { status } = await eventually(
    'it is drawn',
    async () => await (await fetch(`${mesh.url}/v1/requests/${id}`)).json(),
    ({ status }) => status === 'succeeded'
  )
  t.equal(status, 'succeeded')
})

t.test('lines of batches have their pictures in them', async t => {
  const form = new FormData()
  const lines = [
    [GENERATIONS, { prompt: 'a', steps: 2 }],
    [GENERATIONS, { prompt: 'a', steps: 2, response_format: 'url' }]
  ].map(([url, body], index) => JSON.stringify({ custom_id: `${index}`, method: 'POST', url, body }))
  form.append('file', new Blob([lines.join('\n')]), 'batch.jsonl')
  form.append('purpose', 'batch')
  const { id } = await (await fetch(`${mesh.url}/v1/files`, { method: 'POST', body: form })).json()
  const asked = { input_file_id: id, endpoint: GENERATIONS, completion_window: '24h' }
  const created = await (await post(asked, { path: '/v1/batches' })).json()
  const batch = await eventually(
    'the batch ends',
    async () => await (await fetch(`${mesh.url}/v1/batches/${created.id}`)).json(),
    ({ status }) => ['completed', 'failed'].includes(status)
  )
  const read = async (file: string) => (await (await fetch(`${mesh.url}/v1/files/${file}/content`)).text()).trim()
  const { response } = JSON.parse(await read(batch.output_file_id))
  const { colour } = await pixelsOf(ofBase64(response.body.data[0].b64_json))
  t.same(colour, [...colourOf(0)])
  t.match(await read(batch.error_file_id), /no address to make a url with/)
})

const words = 'word '.repeat(10_000)

t.test('what is wrong with a request is said, naming the field, before any node hears of it', async t => {
  const cases: Record<string, [object, number, string | null, RegExp?]> = {
    'no prompt': [{ prompt: undefined }, 400, 'prompt'],
    'an empty prompt': [{ prompt: '' }, 400, 'prompt'],
    'ten thousand words': [{ prompt: words }, 400, 'prompt'],
    'as many characters as may be': [{ prompt: 'w '.repeat(16_000) }, 400, 'prompt', /tokens|characters/],
    'one word of as many letters as may be': [{ prompt: 'w'.repeat(19_200) }, 400, 'prompt', /tokens/],
    'a long negative prompt': [{ negative_prompt: 'w '.repeat(16_000) }, 400, 'negative_prompt'],
    'no pictures': [{ n: 0 }, 400, 'n'],
    'too many pictures': [{ n: 11 }, 400, 'n'],
    'half a picture': [{ n: 1.5 }, 400, 'n'],
    'no steps': [{ steps: 0 }, 400, 'steps'],
    'a billion steps': [{ steps: 1e9 }, 400, 'steps'],
    'a size in words': [{ size: 'large' }, 400, 'size'],
    'a size that is not drawn': [{ size: '15x16' }, 400, 'size', /multiples of 4/],
    'a size too large': [{ size: '4096x4096' }, 400, 'size', /pixels/],
    'another quality': [{ quality: 'ultra' }, 400, 'quality'],
    'steps and quality': [{ quality: 'hd', steps: 3 }, 400, 'quality'],
    'another form': [{ response_format: 'bmp' }, 400, 'response_format'],
    'a form as an object': [{ response_format: { type: 'b64_json' } }, 400, 'response_format'],
    'a url in a stream': [{ response_format: 'url', stream: true }, 400, 'response_format'],
    'another file': [{ output_format: 'gif' }, 400, 'output_format'],
    'a compressed png': [{ output_compression: 50 }, 400, 'output_compression'],
    'a transparent background': [{ background: 'transparent' }, 400, 'background', /opaque/],
    'too many on the way': [{ stream: true, partial_images: 4 }, 400, 'partial_images'],
    'a seed of 65 bits': [{ seed: '18446744073709551616' }, 400, 'seed'],
    'a seed in words': [{ seed: 'random' }, 400, 'seed'],
    'guidance below zero': [{ guidance_scale: -1 }, 400, 'guidance_scale'],
    'too much rescaling': [{ guidance_rescale: 1.1 }, 400, 'guidance_rescale'],
    'another scheduler': [{ scheduler: 'magic' }, 400, 'scheduler'],
    'another style': [{ style: 'natural' }, 400, 'style', /prompt/],
    'steps by another name': [{ num_inference_steps: 5 }, 400, 'num_inference_steps', /Use steps/],
    'guidance by another name': [{ cfg_scale: 5 }, 400, 'cfg_scale', /Use guidance_scale/],
    'a picture to change': [{ image: dataUrl }, 400, 'image', /\/v1\/images\/edits/],
    'a model that is not served': [{ model: 'dall-e-3' }, 404, 'model', /tiny-sd/],
    'a model of another kind': [{ model: 'tiny-encoder' }, 400, 'model', /draws no pictures/]
  }
  for (const [name, [fields, status, param, message = /./]] of Object.entries(cases)) {
    const response = await post({ prompt: 'a', ...fields })
    const body = await response.json()
    t.equal(response.status, status, `${name}: ${JSON.stringify(body)}`)
    t.match(body, { error: { param, message, type: 'invalid_request_error' } }, name)
    t.same(openAiErrors('ErrorResponse', body), [], name)
  }
  const encoded = await post({ model: MODEL, input: 'a' }, { path: '/v1/embeddings' })
  t.match(await encoded.json(), { error: { message: /draws pictures.*\/v1\/images\/generations/ } })
  t.equal(mesh.jobs.length, 0)
})

t.test('what is no picture, or not one that is taken, is refused, and nothing of it stays', async t => {
  const small = new Blob([
    new Uint8Array(await codec.encode({ ...sixteen, rgb: plain(sixteen, [1, 2, 3]) }, { format: 'png' }))
  ])
  const cases: Record<string, [Record<string, Value>, number, string, RegExp]> = {
    'no picture': [{}, 400, 'image', /has no picture/],
    'half a picture': [{ image: photoBlob.slice(0, 60) }, 400, 'image', /ends too soon|contradict/],
    SVG: [{ image: new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>']) }, 400, 'image', /SVG/],
    words: [{ image: new Blob(['hello']) }, 400, 'image', /no known format/],
    'an empty file': [{ image: new Blob([]) }, 400, 'image', /no bytes/],
    'an address': [{ image: 'http://127.0.0.1:1/a.png' }, 400, 'image', /none is fetched/],
    'a path': [{ image: '/etc/passwd' }, 400, 'image', /neither/],
    'a file of nobody': [{ image: 'file-00' }, 400, 'image', /there is no file/],
    'two pictures': [{ 'image[]': [photoBlob, photoBlob] }, 400, 'image', /one/],
    'seventeen pictures': [{ 'image[]': new Array(18).fill(photoBlob) }, 413, '', /files limit/],
    'a mask without alpha': [{ image: photoBlob, mask: photoBlob }, 400, 'mask', /no alpha/],
    'a mask of another size': [{ image: small, mask: holed }, 400, 'mask', /32 × 16.*16 × 16/],
    'two masks': [{ image: photoBlob, mask: [holed, holed] }, 400, 'mask', /several/],
    'another part': [{ photo: photoBlob }, 400, 'photo', /"mask" or "image"/],
    'no strength': [{ image: photoBlob, strength: '0' }, 400, 'strength', /./],
    'a strength that draws nothing': [{ image: photoBlob, strength: '0.01' }, 400, 'strength', /none of 30 steps/],
    'a picture twice': [{ image: photoBlob, images: dataUrl }, 400, 'images', /./],
    'more fidelity': [{ image: photoBlob, input_fidelity: 'high' }, 400, 'input_fidelity', /Use strength/],
    'a large picture': [
      { image: new Blob([new Uint8Array(photo), Buffer.alloc(26 * 1024 * 1024)]) },
      413,
      'image',
      /larger/
    ]
  }
  for (const [name, [fields, status, param, message]] of Object.entries(cases)) {
    const response = await postForm({ prompt: 'a', ...fields })
    const body = await response.json()
    t.equal(response.status, status, `${name}: ${JSON.stringify(body)}`)
    t.match(body, { error: { param: param || null, message, type: 'invalid_request_error' } }, name)
  }
  t.equal(
    (await postForm({ image: photoBlob, prompt: 'a' }, { path: VARIATIONS })).status,
    400,
    'a variation has no text'
  )
  t.equal(mesh.jobs.length, 0)
})

t.test('pictures that came with requests are gone with them', async t => {
  const kept = async (): Promise<number> => {
    const { data } = await (await fetch(`${mesh.url}/v1/files`)).json()
    for (const { id } of data) await fetch(`${mesh.url}/v1/files/${id}`, { method: 'DELETE' })
    const names = await readdir(join(mesh.dataDir, 'content'), { recursive: true })
    return names.filter((name: string) => name.includes('cnt_')).length
  }
  const before = await eventually('all requests have ended', kept, () => true)
  await answered(
    t,
    await postForm({ prompt: 'a', steps: '2', image: photoBlob, mask: holed, response_format: 'b64_json' })
  )
  await eventually('nothing came to stay', kept, count => count <= before)
})

t.test('a node that gives what is no picture is named', async t => {
  mesh.script = async job => {
    await job.send({ type: 'started', sequence: 0 })
    await job.send({ type: 'result', sequence: 1, result: new TextEncoder().encode('{}') })
  }
  const wrong = await post({ prompt: 'a' })
  t.equal(wrong.status, 502)
  t.match(await wrong.json(), { error: { code: 'protocol_violation', message: /no picture of 64 × 64/ } })
  mesh.script = async job => job.send({ type: 'error', sequence: 0, error: new MeshError('engine_failed', 'it broke') })
  const broken = await post({ prompt: 'a' })
  t.equal(broken.status, 500)
  await broken.text()
})

t.test('links hold without a key where the API needs one', async t => {
  const { data } = await answered(t, await post({ prompt: 'a', steps: 1 }))
  const made = await post({ name: 'admin', scopes: ['admin'] }, { path: '/v1/admin/keys' })
  t.equal(made.status, 200, await made.clone().text())
  t.equal((await post({ prompt: 'a' })).status, 401)
  t.equal((await fetch(data[0].url)).status, 200)
  t.equal((await fetch(data[0].url.replace(/.$/, '_'))).status, 403)
})

t.test('all answers are as they are described', async () => {
  await check[Symbol.asyncDispose]()
})
