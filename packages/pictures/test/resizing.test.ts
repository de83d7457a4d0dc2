import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import t from 'tap'
import { BicubicThread, type Picture } from '../src/index.ts'
import { resizeBicubic } from '../src/resizing.ts'

/** Made by scripts/reference-blip.py with Pillow; u8 in base64. */
const reference: {
  readonly side: number
  readonly sizes: readonly (readonly [width: number, height: number])[]
  readonly resized: readonly string[]
} = JSON.parse(readFileSync(join(import.meta.dirname, '../../../blip/test/fixtures/pictures.json'), 'utf8'))

/** The picture of the reference, by its formula. */
function drawn(width: number, height: number): Picture {
  const rgb = Uint8Array.from({ length: 3 * width * height }, (_, index) => {
    const c = index % 3
    const x = Math.floor(index / 3) % width
    const y = Math.floor(index / (3 * width))
    const checks = ((Math.floor(x / 5) + Math.floor(y / 7)) % 2) * 90
    return (x * 7 + y * 13 + c * 50 + ((x * y * (c + 1)) % 61) * 3 + checks) % 256
  })
  return { width, height, rgb }
}

const { side } = reference

t.test('pictures come to another size as Pillow brings them there, byte by byte', async t => {
  for (const [index, [width, height]] of reference.sizes.entries()) {
    const { rgb } = resizeBicubic(drawn(width, height), { width: side, height: side })
    const wanted = Buffer.from(reference.resized[index] ?? '', 'base64')
    t.equal(Buffer.compare(rgb, wanted), 0, `${width} × ${height}`)
  }
  const same = drawn(side, side)
  t.equal(resizeBicubic(same, same), same, 'one of the size stays as it is')
})

t.test('a row or a column of millions takes no more memory than a thread has', async t => {
  await using thread = new BicubicThread()
  const length = 4 * 1024 * 1024
  const rgb = new Uint8Array(3 * length).fill(77)
  for (const size of [
    { width: length, height: 1 },
    { width: 1, height: length }
  ]) {
    const made = await thread.resize({ ...size, rgb }, { width: 384, height: 384 })
    // weights have 22 bits, and each of so many is small
    t.ok(made.rgb.every(value => Math.abs(value - 77) <= 1))
  }
})

t.test('a thread does it, and keeps the picture that it was given whole', async t => {
  await using thread = new BicubicThread()
  const picture = drawn(61, 47)
  const before = picture.rgb.slice()
  const size = { width: side, height: side }
  const made = await Promise.all([thread.resize(picture, size), thread.resize(picture, size)])
  for (const { rgb, width, height } of made) {
    t.same({ width, height }, size)
    t.equal(Buffer.compare(rgb, Buffer.from(reference.resized[0] ?? '', 'base64')), 0)
  }
  t.equal(Buffer.compare(picture.rgb, before), 0)
  const ended = new MeshError('canceled', 'ended')
  await t.rejects(thread.resize(picture, size, { signal: AbortSignal.abort(ended) }), ended)
  await thread[Symbol.asyncDispose]()
  await t.rejects(thread.resize(picture, size), { code: 'unavailable' })
})
