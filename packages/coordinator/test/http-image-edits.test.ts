import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { checkFetches, eventually, openAiErrors } from '@resultity/test-api'
import type { ScriptedJob } from '@resultity/test-nodes'
import t from 'tap'
import {
  answered,
  codec,
  EDITS,
  eventsOf,
  type FormValue,
  pictureJobOf,
  plain,
  rgbaPng,
  startImageMesh,
  VARIATIONS
} from './support/image-mesh.ts'

const mesh = await startImageMesh(t)
const check = checkFetches(mesh.url)
t.beforeEach(() => mesh.reset())

const sixteen = { width: 16, height: 16 }
const wide = { width: 32, height: 16 }
const photo = await codec.encode({ ...wide, rgb: plain(wide, [9, 99, 199]) }, { format: 'png' })
const photoBlob = new Blob([new Uint8Array(photo)])
const dataUrl = `data:image/png;base64,${Buffer.from(photo).toString('base64')}`

/** As large as the photo, transparent in its left half. */
const holed = rgbaPng(32, 16, x => (x < 16 ? 0 : 255))

t.test('a picture is drawn anew: from a form, a data URL, or an uploaded file', async t => {
  const form = new FormData()
  form.append('file', photoBlob, 'photo.png')
  form.append('purpose', 'vision')
  const { id } = await (await fetch(`${mesh.url}/v1/files`, { method: 'POST', body: form })).json()
  const common = { prompt: 'a', steps: '10' }
  const json = { prompt: 'a', steps: 10 }
  const requests: Record<string, () => Promise<Response>> = {
    image: () => mesh.postForm({ ...common, image: photoBlob }),
    'image[]': () => mesh.postForm({ ...common, 'image[]': photoBlob, n: '1', stream: 'false' }),
    'a file id in a form': () => mesh.postForm({ ...common, image: id }),
    'a data URL in a form': () => mesh.postForm({ ...common, image: dataUrl }),
    'a data URL': () => mesh.post({ ...json, images: [{ image_url: dataUrl }] }, { path: EDITS }),
    'a file id': () => mesh.post({ ...json, images: [{ file_id: id }] }, { path: EDITS })
  }
  for (const [name, request] of Object.entries(requests)) {
    mesh.reset()
    const body = await answered(t, await request())
    t.match(body.mesh, { strength: 0.8, steps: 10 }, name)
    const [job] = mesh.jobs.map(pictureJobOf)
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
  const body = await answered(t, await mesh.postForm({ ...common, image: photoBlob, mask: holed }))
  t.equal(body.mesh.strength, 1)
  t.ok(left(pictureJobOf(mesh.jobs[0] as ScriptedJob).start?.mask))
  await answered(t, await mesh.postForm({ ...common, image: holed }))
  t.ok(left(pictureJobOf(mesh.jobs[1] as ScriptedJob).start?.mask))
  const events = await eventsOf(await mesh.postForm({ ...common, image: holed, stream: 'true', partial_images: '1' }))
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
    await mesh.postForm({ image: photoBlob, n: '2', size: '16x16', steps: '5' }, { path: VARIATIONS })
  )
  t.match(body, { data: [{}, {}], mesh: { strength: 0.6 } })
  const [job] = mesh.jobs.map(pictureJobOf)
  t.match(job, { width: 16, height: 16, start: { strength: 0.6 } })
  t.same(job?.prompt, job?.negative)
  const json = await answered(
    t,
    await mesh.post({ image: dataUrl, steps: 5, response_format: 'b64_json' }, { path: VARIATIONS })
  )
  t.equal(json.data.length, 1)
})

t.test('what was sent before is drawn once, also a form', async t => {
  const headers = { 'idempotency-key': 'once' }
  const form = { prompt: 'a', image: photoBlob, steps: '2' }
  const first = await answered(t, await mesh.postForm(form, { headers }))
  const again = await mesh.postForm(form, { headers })
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.same(await again.json(), first)
  t.equal(mesh.jobs.length, 1)
  t.equal(
    (await mesh.postForm({ ...form, image: holed }, { headers })).status,
    422,
    'another picture is another request'
  )
})

t.test('what is no picture, or not one that is taken, is refused, and nothing of it stays', async t => {
  const small = new Blob([
    new Uint8Array(await codec.encode({ ...sixteen, rgb: plain(sixteen, [1, 2, 3]) }, { format: 'png' }))
  ])
  const cases: Record<string, [Record<string, FormValue>, number, string, RegExp]> = {
    'no picture': [{}, 400, 'image', /has no picture/],
    'half a picture': [{ image: photoBlob.slice(0, 60) }, 400, 'image', /ends too soon|contradict/],
    SVG: [{ image: new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>']) }, 400, 'image', /SVG/],
    words: [{ image: new Blob(['hello']) }, 400, 'image', /no known format/],
    'an empty file': [{ image: new Blob([]) }, 400, 'image', /no bytes/],
    'an address': [{ image: 'http://127.0.0.1:1/a.png' }, 400, 'image', /none is fetched/],
    'a path': [{ image: '/etc/passwd' }, 400, 'image', /neither/],
    'a file of nobody': [{ image: 'file-00' }, 400, 'image', /there is no file/],
    'two pictures': [{ 'image[]': [photoBlob, photoBlob] }, 400, 'image', /one/],
    'too many pictures': [{ 'image[]': new Array(18).fill(photoBlob) }, 413, '', /more than 17 files/],
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
    const response = await mesh.postForm({ prompt: 'a', ...fields })
    const body = await response.json()
    t.equal(response.status, status, `${name}: ${JSON.stringify(body)}`)
    t.match(body, { error: { param: param || null, message, type: 'invalid_request_error' } }, name)
  }
  t.equal(
    (await mesh.postForm({ image: photoBlob, prompt: 'a' }, { path: VARIATIONS })).status,
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
    await mesh.postForm({ prompt: 'a', steps: '2', image: photoBlob, mask: holed, response_format: 'b64_json' })
  )
  await eventually('nothing came to stay', kept, count => count <= before)
})

t.test('all answers are as they are described', async () => {
  await check[Symbol.asyncDispose]()
})
