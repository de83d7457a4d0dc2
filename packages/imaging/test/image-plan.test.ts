import { MeshError } from '@resultity/interface'
import type { ServedDiffusion } from '@resultity/placement'
import t from 'tap'
import { type Completed, type ImagePlan, storedBytes, toImagePlan } from '../src/image-plan.ts'
import type { ImageRequest } from '../src/image-schema.ts'
import { servedPainter } from './support/painter.ts'

const model = await servedPainter(t)
const large = { ...model, config: { ...model.config, pictureSize: 1024 } }
const generation = { kind: 'generation', strength: 1 } as const
const edit = { kind: 'edit', strength: 0.8 } as const

const plan = (
  fields: Partial<ImageRequest> = {},
  completed: Completed = {},
  task = generation as typeof edit | typeof generation,
  painter: ServedDiffusion = model
): Promise<ImagePlan> => toImagePlan({ prompt: 'a', ...fields, seed: fields.seed ?? 7 }, painter, task, completed)

async function refusal(
  fields: Partial<ImageRequest>,
  completed: Completed = {},
  task?: typeof edit | typeof generation,
  painter?: ServedDiffusion
): Promise<MeshError> {
  try {
    await plan(fields, completed, task, painter)
  } catch (error) {
    return MeshError.from(error)
  }
  throw new Error(`${JSON.stringify(fields)} was taken`)
}

t.test('what a request leaves open is decided', async t => {
  const { settings, values, count, format, quality, start, usage } = await plan()
  t.match(settings, {
    width: 64,
    height: 64,
    steps: 30,
    scheduler: 'ddim',
    guidance: 7.5,
    guidanceRescale: 0,
    seed: '7',
    previews: []
  })
  t.strictSame(settings.prompt, [[[98, 3, ...new Array(75).fill(99)]]])
  t.strictSame(settings.negative, [[[98, ...new Array(76).fill(99)]]])
  t.strictSame([count, format, quality, start], [1, 'png', 100, undefined])
  t.strictSame(values, {
    model: 'painter',
    size: '64x64',
    seed: 7,
    steps: 30,
    scheduler: 'ddim',
    guidance_scale: 7.5,
    guidance_rescale: 0
  })
  t.strictSame(usage, { text: 1, image: 0, picture: 4 })
})

t.test('quality and schedulers decide steps, unless a request does', async t => {
  const steps = async (fields: Partial<ImageRequest>) => (await plan(fields)).settings.steps
  t.strictSame(
    await Promise.all(
      (['auto', 'standard', 'medium', 'low', 'high', 'hd'] as const).map(quality => steps({ quality }))
    ),
    [30, 30, 30, 15, 45, 45]
  )
  t.equal(await steps({ steps: 9, quality: 'standard' }), 9)
  const quick = (await plan({ scheduler: 'lcm' })).settings
  t.strictSame([quick.steps, quick.guidance], [4, 1])
  t.match(await refusal({ steps: 9, quality: 'high' }), { details: { param: 'quality' } })
})

t.test('a seed is 64 bits, and is told as it was sent', async t => {
  for (const [seed, bits] of [
    [0, '0'],
    [-1, '18446744073709551615'],
    ['9223372036854775807', '9223372036854775807']
  ] as const) {
    const { settings, values } = await toImagePlan({ prompt: 'a', seed }, model, generation, {})
    t.strictSame([settings.seed, values.seed], [bits, seed])
  }
})

t.test('long prompts are chunks, as many of both', async t => {
  const { settings, usage } = await plan({ prompt: 'a '.repeat(160), negative_prompt: 'b' })
  t.strictSame([settings.prompt[0]?.length, settings.negative[0]?.length, usage.text], [3, 3, 161])
  const { code, details } = await refusal({ prompt: 'a '.repeat(10_000) })
  t.strictSame([code, details.param], ['context_length_exceeded', 'prompt'])
  t.match(await refusal({ negative_prompt: 'b '.repeat(1201) }), { details: { param: 'negative_prompt' } })
})

t.test('a picture that begins with another has its shape, and a mask is painted wholly', async t => {
  const picture = { width: 300, height: 100 }
  const image = 'file-1'
  const one = await plan({ image }, { picture }, edit)
  t.strictSame([one.settings.width, one.settings.height], [104, 32], 'as many pixels as the model was trained for')
  t.strictSame(one.start, { image, mask: undefined, strength: 0.8 })
  t.strictSame(one.usage, { text: 1, image: 1, picture: 3 }, '24 of 30 steps')
  t.equal(one.values.strength, 0.8)
  const small = (await plan({ image }, { picture: { width: 21, height: 7 } }, edit)).settings
  t.strictSame([small.width, small.height], [16, 8])
  t.match((await plan({ image, mask: 'file-2' }, { picture }, edit)).start, { mask: 'file-2', strength: 1 })
  t.match((await plan({ image }, { picture, ownMask: true }, edit)).start, { mask: image, strength: 1 })
  t.match((await plan({ image, mask: 'file-2', strength: 0.5 }, { picture }, edit)).start, { strength: 0.5 })
  t.match((await plan({ images: [{ file_id: 'file-3' }] }, { picture }, edit)).start, { image: { file_id: 'file-3' } })
})

t.test('pictures on the way are spread over the steps that are made', async t => {
  const previews = async (fields: Partial<ImageRequest>) =>
    (await plan({ stream: true, ...fields }, { picture: { width: 64, height: 64 } }, edit)).settings.previews
  t.strictSame(await previews({ partial_images: 3, steps: 8 }), [2, 4, 6])
  t.strictSame(await previews({ partial_images: 3, steps: 2 }), [1])
  t.strictSame(await previews({ partial_images: 3, steps: 1 }), [])
  t.strictSame(await previews({ partial_images: 1, steps: 10, image: 'file-1', strength: 0.5 }), [8])
  t.strictSame(await previews({ partial_images: 3, steps: 8, stream: false }), [], 'nobody would see them')
})

t.test('answers have links where the client can be told of one', async t => {
  const linkBase = 'http://here:1'
  t.equal((await plan({}, { linkBase })).linkBase, linkBase)
  t.equal((await plan({ response_format: 'url' }, { linkBase })).linkBase, linkBase)
  t.equal((await plan({ response_format: 'b64_json' }, { linkBase })).linkBase, undefined)
  t.equal((await plan({ stream: true }, { linkBase })).linkBase, undefined)
  t.equal((await plan()).linkBase, undefined)
})

t.test('what is not drawn is refused, naming the field', async t => {
  const cases: readonly (readonly [Partial<ImageRequest>, string, RegExp])[] = [
    [{ size: '63x64' }, 'size', /multiples of 8.*64x64/],
    [{ size: '4x4' }, 'size', /multiples of 8.*8x8/],
    [{ size: '2048x2048' }, 'size', /at most 2097152 pixels/],
    [{ size: '8192x8' }, 'size', /4096 a side/],
    [{ size: '1448x1448', n: 7 }, 'n', /too many at once.*at most 6/],
    [{ steps: 1001 }, 'steps', /trained with 1000/],
    [{ steps: 51, scheduler: 'lcm' }, 'steps', /'lcm' takes from 1 to 50/],
    [{ scheduler: 'edm' }, 'scheduler', /EDM's terms.*another/],
    [{ background: 'transparent' }, 'background', /transparent/],
    [{ output_compression: 50 }, 'output_compression', /png/],
    [{ response_format: 'url' }, 'response_format', /--public-url/],
    [{ response_format: 'url', stream: true }, 'response_format', /stream/],
    [{ image: ['file-1', 'file-2'] }, 'image', /2 pictures/],
    [{ images: ['file-1', 'file-2'] }, 'images', /2 pictures/],
    [{ size: '1024x1024', n: 5, stream: true, partial_images: 3 }, 'partial_images', /15 pictures.*jpeg or webp/],
    [{ image: 'file-1', strength: 0.01 }, 'strength', /none of 30 steps/]
  ]
  for (const [fields, param, message] of cases) {
    const error = await refusal(fields, { picture: { width: 64, height: 64 } }, edit, large)
    t.match(error, { code: 'invalid_request', details: { param } }, JSON.stringify(fields))
    t.match(`${error.message} ${error.hint}`, message, JSON.stringify(fields))
  }
  const past = await refusal({ size: '136x128' })
  t.match(past, { message: /at most 16384 pixels/, details: { param: 'size' } }, 'the limit is that of the model')
  t.equal((await plan({ size: '128x128' })).settings.width, 128)
  t.equal((await plan({ output_compression: 50, output_format: 'webp' })).quality, 50)
  t.equal((await plan({ output_compression: 100 })).quality, 100)
})

t.test('a model that fills masks is not asked for a picture of its own', async t => {
  const { denoiser } = model.config
  const filling = { ...model, config: { ...model.config, denoiser: { ...denoiser, inChannels: 9 } } }
  const error = await refusal({}, {}, generation, filling)
  t.match(error, { code: 'invalid_request', details: { param: 'image' }, message: /draws into pictures/ })
  const completed = { picture: { width: 64, height: 64 } }
  t.match((await plan({ image: 'file-1', mask: 'file-2' }, completed, edit, filling)).start, { mask: 'file-2' })
})

t.test('room is kept for what is made', async t => {
  const linkBase = 'http://here:1'
  const bytes = async (fields: Partial<ImageRequest>, completed?: Completed) =>
    storedBytes(await plan({ size: '512x512', ...fields }, completed, generation, large))
  const one = await bytes({}, { linkBase })
  t.ok(one > 512 * 512 * 3)
  t.ok((await bytes({})) > one * 1.3, 'base64 takes more')
  t.equal(await bytes({ n: 4 }, { linkBase }), 4 * one)
  t.ok((await bytes({ output_format: 'webp' }, { linkBase })) < one)
})
