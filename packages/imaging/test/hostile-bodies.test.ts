import { MeshError } from '@resultity/interface'
import { PictureCodec } from '@resultity/pictures'
import { ServedModels } from '@resultity/placement'
import { assertProperty, hardTexts } from '@resultity/test-property'
import fc, { type Arbitrary } from 'fast-check'
import t from 'tap'
import { ImageEndpoint, type ImageEndpointComponents, imageRoutes } from '../src/image-endpoint.ts'
import { PictureInput } from '../src/picture-input.ts'
import { servedPainter } from './support/painter.ts'

const models = new ServedModels()
models.add(await servedPainter(t))
const pictures = new PictureCodec()
const fileService = {
  findInUse: (id: string) => Promise.reject(new MeshError('not_found', `there is no file "${id}"`)),
  read: async function* () {}
}
const components = {
  models,
  pictures,
  pictureInput: new PictureInput({ fileService, pictures }),
  pools: { routing: () => ({}) }
  // nothing is drawn here
} as unknown as ImageEndpointComponents

const file = await pictures.encode({ width: 24, height: 8, rgb: new Uint8Array(576) }, { format: 'png' })
const image = `data:image/png;base64,${Buffer.from(file).toString('base64')}`

/** What no field is made for, and what some are. */
const anything: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, '', '\u0000', '\ud800', [], {}, [[[]]], { toString: 'x' }, true, false, -0, 2 ** 53, 'NaN'),
  fc.constantFrom(
    '64x64',
    '8x8',
    '99999x99999',
    '1x1',
    'auto',
    'hd',
    'url',
    'webp',
    'lcm',
    'file-1',
    image,
    'http://a'
  ),
  fc.integer(),
  fc.double(),
  fc.string({ maxLength: 64 }),
  fc.constantFrom(...hardTexts),
  fc.jsonValue({ maxDepth: 2 })
)

const fields = [
  ...['prompt', 'negative_prompt', 'model', 'n', 'size', 'quality', 'response_format', 'output_format', 'image'],
  ...['output_compression', 'background', 'seed', 'steps', 'guidance_scale', 'guidance_rescale', 'scheduler', 'mask'],
  ...['strength', 'images', 'stream', 'partial_images', 'mesh', 'store', 'link_base', 'source_size', 'own_mask'],
  ...['style', 'width', '__proto__', 'constructor']
]
const changes = fc.array(fc.tuple(fc.constantFrom(...fields), anything), { maxLength: 4 })

const refusals: ReadonlySet<string> = new Set(['invalid_request', 'context_length_exceeded', 'model_not_found'])

for (const [kind, route] of Object.entries(imageRoutes)) {
  t.test(`${kind}: any body is a plan or a refusal`, async t => {
    const endpoint = new ImageEndpoint(components, route)
    let plans = 0
    await assertProperty(
      fc.asyncProperty(changes, async changed => {
        const base = kind === 'generation' ? { prompt: 'a' } : kind === 'edit' ? { prompt: 'a', image } : { image }
        const body = { ...base, ...Object.fromEntries(changed) }
        try {
          const completed = await endpoint.complete(body, 'mine', { origin: 'http://here:1' })
          const { data, tokens } = await endpoint.prepare(JSON.parse(JSON.stringify(completed)))
          plans++
          const { width, height, steps } = data.plan.settings
          return width * height <= 2 ** 21 && steps <= 1000 && Number.isSafeInteger(tokens.answerMax)
        } catch (error) {
          if (error instanceof MeshError && refusals.has(error.code)) return true
          throw error
        }
      }),
      { numRuns: 400 }
    )
    t.ok(plans > 0, `${plans} were plans`)
  })
}
