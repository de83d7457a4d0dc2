import { join } from 'node:path'
import { swarmFor } from '@resultity/testkit'
import { test } from 'tap'

const MODEL = 'tiny-kandinsky'
const folder = join(import.meta.dirname, '../../packages/diffusion-model/test/fixtures', MODEL)

const REQUEST = { model: MODEL, prompt: 'a cat on the mat, at dawn', seed: 5, steps: 4, response_format: 'b64_json' }

test('Kandinsky answers the routes of pictures', async t => {
  const { url } = await swarmFor(t, { nodes: 1, models: [`file:${folder}`] })
  const post = async (route: string, body: object) => {
    const response = await fetch(`${url}/v1/images/${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...REQUEST, ...body })
    })
    return { status: response.status, answer: await response.json() }
  }
  const drawn = async (route: string, body: object): Promise<string[]> => {
    const { status, answer } = await post(route, body)
    t.equal(status, 200, JSON.stringify(answer).slice(0, 300))
    t.match(answer.mesh, { model: MODEL, scheduler: 'ddpm', steps: 4, guidance_scale: 4 })
    return answer.data.map(({ b64_json }: { readonly b64_json: string }) => b64_json)
  }

  const [first = '', second = ''] = await drawn('generations', { n: 2 })
  t.ok(first.length > 100 && first !== second, 'each picture is another')
  t.same(await drawn('generations', {}), [first], 'the same request gives the same picture')
  const driven = await drawn('generations', { negative_prompt: 'the moon' })
  t.notSame(driven, [first], 'a negative prompt counts')

  const image = `data:image/png;base64,${first}`
  const edited = await drawn('edits', { image, strength: 0.5 })
  t.notSame(edited, [first])
  const { prompt: _, ...variation } = REQUEST
  const varied = await fetch(`${url}/v1/images/variations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...variation, image, strength: 0.5 })
  })
  t.equal(varied.status, 200)

  const wrongSize = await post('generations', { size: '34x32' })
  t.match(wrongSize, { status: 400, answer: { error: { param: 'size', message: /multiples of 4 pixels/ } } })
  const long = await post('generations', { prompt: 'the cat on the mat '.repeat(25) })
  t.match(long, { status: 400, answer: { error: { code: 'context_length_exceeded', param: 'prompt' } } })
})
