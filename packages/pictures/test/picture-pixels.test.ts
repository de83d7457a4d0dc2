import t from 'tap'
import { fromPixels, toPixels } from '../src/index.ts'

t.test('bytes come back from pixels as they were', async t => {
  const rgb = Uint8Array.from({ length: 3 * 256 }, (_, at) => (at % 3 === 0 ? at / 3 : (7 * at) % 256))
  const pixels = toPixels({ width: 16, height: 16, rgb })
  t.strictSame([pixels.values[0], pixels.values[255]], [-1, 1], 'planes, from -1 to 1')
  t.strictSame(fromPixels(pixels), { width: 16, height: 16, rgb })
})

t.test('values are cut off and rounded', async t => {
  const values = Float32Array.of(-9, -1, 9, 0, 0.5 / 127.5, 1.5 / 127.5)
  t.strictSame(Array.from(fromPixels({ width: 1, height: 2, values }).rgb), [0, 255, 128, 0, 128, 129])
})
