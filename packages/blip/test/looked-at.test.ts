import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lookedAt, openBlip } from '../src/index.ts'
import { fixtures } from './published.ts'

/** Made by scripts/reference-blip.py with `BlipImageProcessor`. */
const reference: { readonly resized: readonly string[]; readonly pixels: string } = JSON.parse(
  readFileSync(join(fixtures, 'pictures.json'), 'utf8')
)

t.test('a picture becomes what the reference makes of it, bit for bit', async t => {
  using source = openBlip(join(fixtures, 'tiny-captioner'))
  const pixels = lookedAt(Buffer.from(reference.resized[0] ?? '', 'base64'), source.config)
  t.ok(Buffer.from(pixels.buffer).equals(Buffer.from(reference.pixels, 'base64')))
})

t.test('one of another size is refused', async t => {
  using source = openBlip(join(fixtures, 'tiny-captioner'))
  t.throws(() => lookedAt(new Uint8Array(3 * 32 * 31), source.config), { code: 'invalid_request' })
})
