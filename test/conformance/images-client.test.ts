import { join } from 'node:path'
import { PictureCodec } from '@resultity/pictures'
import { swarmFor } from '@resultity/testkit'
import OpenAI, { toFile } from 'openai'
import OpenAI6, { toFile as toFile6 } from 'openai6'
import t from 'tap'
import { failureOf } from './questions.ts'

const MODEL = 'tiny-sd'
const folder = join(import.meta.dirname, '../../../packages/diffusion-model/test/fixtures', MODEL)

const { url } = await swarmFor(t, { nodes: 2, models: [`file:${folder}`] })

const init = { baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }
const clients: readonly {
  readonly version: string
  readonly client: OpenAI
  readonly errors: typeof OpenAI
  readonly toFile: typeof toFile
}[] = [
  { version: '7', client: new OpenAI(init), errors: OpenAI, toFile },
  // the same calls by the same names; only the classes are others
  {
    version: '6',
    client: new OpenAI6(init) as unknown as OpenAI,
    errors: OpenAI6 as unknown as typeof OpenAI,
    toFile: toFile6 as unknown as typeof toFile
  }
]

const codec = new PictureCodec()
const asked = { model: MODEL, prompt: 'a cat on the mat', size: '64x64' }
/** Fields that OpenAI's types do not have. */
const extra = { seed: 5, steps: 4, guidance_scale: 3 }

/** What a file is. */
async function read(file: Uint8Array | string | undefined) {
  const bytes = typeof file === 'string' ? Buffer.from(file, 'base64') : (file ?? new Uint8Array())
  const { format, width, height } = await codec.head(bytes, { param: 'image' })
  return { format, width, height, bytes }
}

/** A picture to change, and a mask of its left half, both as a program of the client's would write them. */
const size = { width: 64, height: 64 }
const photo = await codec.encode(
  { ...size, rgb: Uint8Array.from({ length: 3 * 64 * 64 }, (_, at) => (at * 7) % 256) },
  { format: 'png' }
)

for (const { version, client, errors, toFile } of clients) {
  const image = (name = 'photo.png') => toFile(photo, name, { type: 'image/png' })

  t.test(`openai ${version}: a picture by its link`, async t => {
    const { data, created, usage } = await client.images.generate({ ...asked, ...extra })
    t.ok(created > 1_700_000_000)
    t.match(usage, { output_tokens: 1, input_tokens_details: { image_tokens: 0 } })
    const [picture] = data ?? []
    const response = await fetch(picture?.url ?? '')
    t.equal(response.headers.get('content-type'), 'image/png')
    const linked = await read(new Uint8Array(await response.arrayBuffer()))
    t.match(linked, { format: 'png', width: 64, height: 64 })
    const again = await client.images.generate({ ...asked, ...extra, response_format: 'b64_json' })
    const linkedText = Buffer.from(linked.bytes).toString('base64')
    t.equal(again.data?.[0]?.b64_json, linkedText, 'the same seed is the same picture')
  })

  t.test(`openai ${version}: several, in every format`, async t => {
    const seen = new Set<string>()
    for (const output_format of ['png', 'jpeg', 'webp'] as const) {
      const { data } = await client.images.generate({
        ...asked,
        ...extra,
        n: 2,
        quality: 'medium',
        response_format: 'b64_json',
        output_format,
        ...(output_format === 'png' ? {} : { output_compression: 80 })
      })
      t.equal(data?.length, 2)
      for (const { b64_json: file } of data ?? []) {
        t.match(await read(file), { format: output_format, width: 64, height: 64 })
        seen.add(file ?? '')
      }
    }
    t.equal(seen.size, 6)
  })

  t.test(`openai ${version}: a stream with pictures on the way`, async t => {
    const whole = await client.images.generate({ ...asked, ...extra, response_format: 'b64_json' })
    const stream = await client.images.generate({ ...asked, ...extra, stream: true, partial_images: 2 })
    const partials: string[] = []
    let done: string | undefined
    for await (const event of stream) {
      if (event.type === 'image_generation.partial_image') {
        t.equal(event.partial_image_index, partials.length)
        partials.push(event.b64_json)
      } else {
        done = event.b64_json
        t.equal(event.usage.output_tokens, 1)
      }
    }
    t.equal(partials.length, 2)
    t.equal(done, whole.data?.[0]?.b64_json, 'and it ends with the same picture')
    for (const partial of partials) t.match(await read(partial), { format: 'png', width: 64 })
  })

  t.test(`openai ${version}: edits, plain and streamed, and variations`, async t => {
    const edit = { model: MODEL, prompt: 'a dog', ...extra, strength: 0.75, response_format: 'b64_json' } as const
    const one = await client.images.edit({ ...edit, image: await image() })
    t.match(await read(one.data?.[0]?.b64_json), { format: 'png', width: 64, height: 64 })
    const listed = await client.images.edit({ ...edit, image: [await image()] })
    t.equal(listed.data?.[0]?.b64_json, one.data?.[0]?.b64_json)
    const stream = await client.images.edit({ ...edit, image: await image(), stream: true, partial_images: 1 })
    const types: string[] = []
    for await (const event of stream) {
      types.push(event.type)
      if (event.type === 'image_edit.completed') t.equal(event.b64_json, one.data?.[0]?.b64_json)
    }
    t.same(types, ['image_edit.partial_image', 'image_edit.completed'])
    const variation = { model: MODEL, image: await image(), n: 2, ...extra, response_format: 'b64_json' } as const
    const { data } = await client.images.createVariation(variation)
    t.equal(new Set(data?.map(({ b64_json }) => b64_json)).size, 2)
  })

  t.test(`openai ${version}: refusals`, async t => {
    const wrong = async (changes: object) => await failureOf(client.images.generate({ ...asked, ...changes }))
    t.match(await wrong({ size: '63x64' }), { status: 400, param: 'size' })
    t.match(await wrong({ background: 'transparent' }), { status: 400, param: 'background' })
    t.ok((await wrong({ model: 'dall-e-3' })) instanceof errors.NotFoundError)
    const masked = client.images.edit({ ...asked, image: await image(), mask: await image('mask.png') })
    t.match(await failureOf(masked), { status: 400, param: 'mask', message: /no alpha/ })
    const words = await toFile(Buffer.from('hello'), 'photo.png', { type: 'image/png' })
    t.match(await failureOf(client.images.edit({ ...asked, image: words })), { status: 400, param: 'image' })
  })
}
