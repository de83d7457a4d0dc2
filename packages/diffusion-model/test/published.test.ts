import { sideStep, type WeightFile } from '@resultity/interface'
import t from 'tap'
import {
  buildClipSightGraph,
  buildDenoiserGraph,
  buildPictureDecoderGraph,
  buildPictureEncoderGraph,
  buildPriorGraph,
  buildTextEncoderGraph
} from '../src/index.ts'
import { imported, publishedIndex, publishedNames } from './support/published-index.ts'

/** Numbers that nothing reads: of the layer and the norm behind the states that XL takes of its first text encoder, and of a codebook. */
const UNREAD = { 'stable-diffusion-xl': 7_089_408, 'playground-2.5': 7_089_408, 'kandinsky-2.2': 65_536 } as const
const unreadOf: Readonly<Record<string, number>> = UNREAD

for (const name of publishedNames) {
  t.test(`${name}: every tensor of the published files has its place, and the graphs are built`, async t => {
    const index = publishedIndex(name)
    const manifest = imported(name)
    const tensors = manifest.layers.flatMap(file => file.tensors)
    const numbers = tensors.reduce(
      (sum, tensor) => sum + ('shape' in tensor ? tensor.shape.reduce((product, size) => product * size, 1) : 0),
      0
    )
    const parameters = Object.values(index).reduce((sum, component) => sum + component.parameters, 0)
    t.equal(numbers, parameters - (unreadOf[name] ?? 0), 'every number is in a weight file once')
    t.ok(
      manifest.layers.every(({ bytes }) => bytes <= 512 * 1024 * 1024 + 64 * 4096),
      'no file is too large to be fetched again'
    )
    const init = { manifest, weightLocation: (file: WeightFile) => file.sha256 }
    const texts = manifest.config.textEncoders.map((_, place) => buildTextEncoderGraph(init, place))
    const denoiser = buildDenoiserGraph(init)
    const { prior } = manifest.config
    const looking = prior === undefined ? [] : [buildPriorGraph(init), buildClipSightGraph(init)]
    const graphs = [...texts, denoiser, buildPictureDecoderGraph(init), buildPictureEncoderGraph(init), ...looking]
    for (const { bytes } of graphs) t.ok(bytes.length > 10_000 && bytes.length < 4_000_000, `${bytes.length} bytes`)
    const xl = manifest.config.textEncoders.length === 2
    t.equal(denoiser.addition !== undefined, xl)
    t.same(
      texts.map(({ pooled }) => pooled !== undefined),
      xl ? [false, true] : [prior !== undefined]
    )
    t.ok(JSON.stringify(manifest).length < 2_000_000, `a manifest of ${JSON.stringify(manifest).length} bytes`)
  })
}

t.test('sizes and settings are those of the published files', async t => {
  const v15 = imported('stable-diffusion-1.5').config
  t.equal(v15.pictureSize, 512)
  t.same(v15.denoiser.levels, [
    { channels: 320, blockCount: 2, attends: true, headCount: 8, transformerDepth: 1 },
    { channels: 640, blockCount: 2, attends: true, headCount: 8, transformerDepth: 1 },
    { channels: 1280, blockCount: 2, attends: true, headCount: 8, transformerDepth: 1 },
    { channels: 1280, blockCount: 2, attends: false, headCount: 8, transformerDepth: 1 }
  ])
  t.match(v15.textEncoders, [
    { length: 77, states: 'last', activation: 'quick_gelu', padToken: 49_407, beginToken: 49_406 }
  ])
  t.match(v15.schedule, { scheduler: 'euler', prediction: 'epsilon', timestepSpacing: 'leading', stepsOffset: 1 })
  t.notOk(v15.zeroForEmpty)

  t.equal(imported('stable-diffusion-1.5-inpainting').config.denoiser.inChannels, 9)
  const v21 = imported('stable-diffusion-2.1').config
  t.equal(v21.pictureSize, 768)
  t.same(
    v21.denoiser.levels.map(({ headCount }) => headCount),
    [5, 10, 20, 20]
  )
  t.match(v21.textEncoders, [{ activation: 'gelu', layerCount: 23 }])

  const xl = imported('stable-diffusion-xl').config
  t.equal(xl.pictureSize, 1024)
  t.same(xl.denoiser.addition, { pooledSize: 1280, timeSize: 256 })
  t.match(xl.textEncoders, [
    { states: 'second_last', pooledSize: undefined, padToken: 49_407 },
    { states: 'second_last', pooledSize: 1280, padToken: 0 }
  ])
  t.ok(xl.zeroForEmpty)

  const kandinsky = imported('kandinsky-2.2').config
  t.match(kandinsky.schedule, { scheduler: 'ddpm', clip: 2, betaSchedule: 'linear' })
  t.match(kandinsky.prior, { hiddenSize: 2048, layerCount: 20, embeddingSize: 1280, clip: 5, sight: { patchSize: 14 } })
  t.same(
    kandinsky.denoiser.levels.map(({ headCount, attends }) => (attends ? headCount : 0)),
    [0, 12, 18, 24]
  )
  t.equal(kandinsky.pictureSize, 512)
  t.equal(sideStep(kandinsky), 64)

  const playground = imported('playground-2.5').config
  t.match(playground.schedule, { scheduler: 'edm', sigmaData: 0.5, sigmaMin: 0.002, sigmaMax: 80 })
  t.equal(playground.coder.means?.length, 4)
  t.equal(playground.coder.scalingFactor, 0.5)
})
