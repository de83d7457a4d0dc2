import { MeshError } from '@resultity/interface'
import { checkFetches, eventually, openAiErrors } from '@resultity/test-api'
import t from 'tap'
import {
  answered,
  colourOf,
  drawing,
  eventsOf,
  GENERATIONS,
  PAINTER,
  pictureJobOf,
  pixelsOf,
  startImageMesh
} from './support/image-mesh.ts'

const mesh = await startImageMesh(t)
const check = checkFetches(mesh.url)
t.beforeEach(() => mesh.reset())

t.test('a text is drawn, and the answer links to the picture', async t => {
  const response = await mesh.post({ prompt: 'a cat', seed: 7, steps: 4, size: '32x16' })
  t.equal(response.headers.get('x-resultity-route'), `${mesh.nodes[0]?.peerId}[0,12)`)
  const body = await answered(t, response)
  const values = {
    model: PAINTER,
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
  const job = mesh.jobs[0] && pictureJobOf(mesh.jobs[0])
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
    const body = await answered(t, await mesh.post(asked))
    t.match(body, { output_format: format, data: [{}, {}, {}] })
    for (const [index, { b64_json: text }] of body.data.entries()) {
      const { colour, ...size } = await pixelsOf(text)
      t.same(size, { width: 64, height: 64 }, 'as the model was trained')
      const off = Math.max(...colour.map((value, at) => Math.abs(value - (colourOf(index)[at] ?? 0))))
      t.ok(off <= 3, `${format} ${index}: ${colour}`)
    }
  }
  t.same(
    mesh.jobs.map(job => pictureJobOf(job).picture).toSorted((a, b) => a - b),
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
  const [job] = mesh.jobs.map(pictureJobOf)
  t.match(job, { seed: '9223372036854775808', steps: 3, scheduler: 'euler', guidance: 2.5, guidanceRescale: 0.5 })
  t.ok((job?.prompt[0]?.length ?? 0) > 1, 'longer prompts are several chunks')
  t.equal(job?.negative[0]?.length, job?.prompt[0]?.length)
  const again = await answered(t, await mesh.post({ prompt: 'a', steps: 1, response_format: 'b64_json' }))
  t.type(again.mesh.seed, 'number', 'a seed that nobody sent')
})

t.test('a stream shows pictures on the way', async t => {
  const asked = { prompt: 'a', stream: true, partial_images: 3, steps: 8, n: 2, size: '32x32' }
  const response = await mesh.post(asked)
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
    const shown = await Promise.all(own.map(one => pixelsOf(one.b64_json)))
    t.same(
      shown.map(({ colour }) => colour[0]),
      [2, 4, 6],
      'evenly'
    )
    const { colour } = await pixelsOf(completed[index].b64_json)
    t.same(colour, [...colourOf(index)])
  }
  t.match(completed[0], { size: 'auto', quality: 'auto', usage: { output_tokens: 1 } })
})

t.test('the steps of a picture are in the log of its request', async t => {
  const accepted = await mesh.post({ prompt: 'a', steps: 4 }, { headers: { prefer: 'respond-async' } })
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

t.test('a client that hangs up ends the work; one that comes back later does not', async t => {
  mesh.script = async job => job.send({ type: 'started', sequence: 0 })
  const controller = new AbortController()
  const asked = mesh.post({ prompt: 'a' }, { signal: controller.signal })
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
  const { id } = await (await mesh.post({ prompt: 'a', steps: 2 }, { headers: { prefer: 'respond-async' } })).json()
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
  const created = await (await mesh.post(asked, { path: '/v1/batches' })).json()
  const batch = await eventually(
    'the batch ends',
    async () => await (await fetch(`${mesh.url}/v1/batches/${created.id}`)).json(),
    ({ status }) => ['completed', 'failed'].includes(status)
  )
  const read = async (file: string) => (await (await fetch(`${mesh.url}/v1/files/${file}/content`)).text()).trim()
  const { response } = JSON.parse(await read(batch.output_file_id))
  const { colour } = await pixelsOf(response.body.data[0].b64_json)
  t.same(colour, [...colourOf(0)])
  t.match(await read(batch.error_file_id), /no address to make a url with/)
})

const words = 'word '.repeat(10_000)

t.test('many requests in one call have their pictures in them', async t => {
  const requests = [7, 8].map(seed => ({
    custom_id: `${seed}`,
    url: GENERATIONS,
    body: { prompt: 'a', steps: 1, seed }
  }))
  const { responses } = await (await mesh.post({ requests }, { path: '/v1/batch' })).json()
  for (const [index, { response }] of responses.entries()) {
    t.match(response, { status_code: 200, body: { mesh: { seed: 7 + index } } })
    t.match(await pixelsOf(response.body.data[0].b64_json), { width: 64 })
  }
  const large = requests.flatMap(one => new Array(50).fill({ ...one, body: { ...one.body, size: '128x128', n: 10 } }))
  const many = large.map((one, index) => ({ ...one, custom_id: `${index}` }))
  const refused = await mesh.post({ requests: many }, { path: '/v1/batch' })
  t.equal(refused.status, 400)
  t.match(await refused.json(), { error: { param: 'requests', message: /too large for one.*\/v1\/batches/ } })
})

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
    'a size too large for the model': [{ size: '132x128' }, 400, 'size', /16384 pixels/],
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
    'a scheduler of other models': [{ scheduler: 'edm' }, 400, 'scheduler', /EDM's terms/],
    'more steps than a scheduler makes': [{ scheduler: 'lcm', steps: 51 }, 400, 'steps', /1 to 50/],
    'another style': [{ style: 'natural' }, 400, 'style', /prompt/],
    'steps by another name': [{ num_inference_steps: 5 }, 400, 'num_inference_steps', /Use steps/],
    'guidance by another name': [{ cfg_scale: 5 }, 400, 'cfg_scale', /Use guidance_scale/],
    'several models': [{ models: ['a', 'b'] }, 400, 'models', /\/v1\/batch/],
    'a picture to change': [{ image: 'file-1' }, 400, 'image', /\/v1\/images\/edits/],
    'a model that is not served': [{ model: 'dall-e-3' }, 404, 'model', /tiny-sd/],
    'a model of another kind': [{ model: 'tiny-encoder' }, 400, 'model', /draws no pictures/]
  }
  for (const [name, [fields, status, param, message = /./]] of Object.entries(cases)) {
    const response = await mesh.post({ prompt: 'a', ...fields })
    const body = await response.json()
    t.equal(response.status, status, `${name}: ${JSON.stringify(body)}`)
    t.match(body, { error: { param, message, type: 'invalid_request_error' } }, name)
    t.same(openAiErrors('ErrorResponse', body), [], name)
  }
  const encoded = await mesh.post({ model: PAINTER, input: 'a' }, { path: '/v1/embeddings' })
  t.match(await encoded.json(), { error: { message: /draws pictures.*\/v1\/images\/generations/ } })
  t.equal(mesh.jobs.length, 0)
})

t.test('a node that gives what is no picture is named', async t => {
  mesh.script = async job => {
    await job.send({ type: 'started', sequence: 0 })
    await job.send({ type: 'result', sequence: 1, result: new TextEncoder().encode('{}') })
  }
  const wrong = await mesh.post({ prompt: 'a' })
  t.equal(wrong.status, 502)
  t.match(await wrong.json(), { error: { code: 'protocol_violation', message: /no picture of 64 × 64/ } })
  mesh.script = async job => job.send({ type: 'error', sequence: 0, error: new MeshError('engine_failed', 'it broke') })
  const broken = await mesh.post({ prompt: 'a' })
  t.equal(broken.status, 500)
  await broken.text()
})

t.test('links hold without a key where the API needs one', async t => {
  const { data } = await answered(t, await mesh.post({ prompt: 'a', steps: 1 }))
  const made = await mesh.post({ name: 'admin', scopes: ['admin'] }, { path: '/v1/admin/keys' })
  t.equal(made.status, 200, await made.clone().text())
  t.equal((await mesh.post({ prompt: 'a' })).status, 401)
  const authorization = `Bearer ${(await made.json()).key}`
  const limited = { scopes: ['inference'], limits: { tokens_per_minute: 100 } }
  const { key } = await (await mesh.post(limited, { path: '/v1/admin/keys', headers: { authorization } })).json()
  const asked = { prompt: 'a', size: '128x128', n: 10, steps: 24 }
  const much = await mesh.post(asked, { headers: { authorization: `Bearer ${key}` } })
  t.equal(much.status, 429, 'ten times a 64th of a megapixel in 24 steps are 120 tokens')
  t.equal(much.headers.get('x-should-retry'), 'false')
  await much.text()
  t.equal((await fetch(data[0].url)).status, 200)
  t.equal((await fetch(data[0].url.replace(/.$/, '_'))).status, 403)
})

t.test('all answers are as they are described', async () => {
  await check[Symbol.asyncDispose]()
})
