import { PictureCodec } from '@resultity/pictures'
import { ServedModels } from '@resultity/placement'
import t from 'tap'
import { ImageEndpoint, type ImageEndpointComponents, imageRoutes } from '../src/image-endpoint.ts'
import { PictureInput } from '../src/picture-input.ts'
import { servedPainter } from './support/painter.ts'

const models = new ServedModels()
models.add(await servedPainter(t))
const pictures = new PictureCodec()
const fileService = {
  findInUse: () => Promise.reject(new Error('no file is looked for')),
  read: async function* () {}
}
const pictureInput = new PictureInput({ fileService, pictures })
const pools = { routing: () => ({}) }
// nothing is drawn here
const components = { models, pictures, pictureInput, pools } as unknown as ImageEndpointComponents

const origin = 'http://127.0.0.1:1'
const file = await pictures.encode({ width: 24, height: 8, rgb: new Uint8Array(576) }, { format: 'png' })
const image = `data:image/png;base64,${Buffer.from(file).toString('base64')}`

t.test('links lead where the client came from, or where the operator says', async t => {
  const base = async (publicUrl: string | undefined, from: string | undefined) => {
    const endpoint = new ImageEndpoint(components, imageRoutes.generation, { publicUrl })
    const body = await endpoint.complete(
      { prompt: 'a', link_base: 'http://evil' },
      'mine',
      from ? { origin: from } : {}
    )
    return (await endpoint.prepare(body)).data.plan.linkBase
  }
  t.equal(await base(undefined, origin), origin)
  t.equal(await base('https://public', origin), 'https://public')
  t.equal(await base('https://public', undefined), 'https://public')
  t.equal(await base(undefined, undefined), undefined)
})

t.test('a job that is begun again is the same job', async t => {
  const endpoint = new ImageEndpoint(components, imageRoutes.edit)
  const body = await endpoint.complete({ prompt: 'a', image, n: 2 }, 'mine', { origin })
  const first = await endpoint.prepare(body)
  const again = await endpoint.prepare(JSON.parse(JSON.stringify(first.request)))
  t.same(again.data.plan.settings, first.data.plan.settings)
  t.same(again.request, first.request)
  t.match(first.data.plan, { linkBase: origin, settings: { width: 24, height: 8 }, start: { strength: 0.8 } })
  t.match(first, { tokens: { prompt: 2, answerMax: 2 }, streamed: false })
})

t.test('a picture that nobody looked at is refused', async t => {
  const endpoint = new ImageEndpoint(components, imageRoutes.edit)
  await t.rejects(endpoint.prepare({ prompt: 'a', image }), {
    code: 'invalid_request',
    message: /cannot be looked up/,
    details: { param: 'image' }
  })
})
