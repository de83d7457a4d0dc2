import {
  type DiffusionManifest,
  diffusionSections,
  partFiles,
  sectionRanges,
  type WeightFile
} from '@resultity/interface'
import t from 'tap'
import {
  buildDenoiserGraph,
  buildTextEncoderGraph,
  diffusionMemory,
  diffusionWork,
  workBytesPerLayer
} from '../src/index.ts'
import { imported } from './support/published-index.ts'

const MIB = 1024 ** 2

t.test('what serving takes is bounded by what was measured', async t => {
  const manifest = imported('stable-diffusion-1.5')
  const at = (pictureSize: number) => diffusionMemory({ ...manifest, config: { ...manifest.config, pictureSize } })
  const { weightBytes } = at(256)
  // 1.07 G numbers, and every tensor begins a page
  t.ok(weightBytes > 4 * 1_066_000_000 && weightBytes < 4 * 1_075_000_000, `${weightBytes}`)
  // pictures may be twice as high and wide: 512² and 768² were measured, of the decoder, which takes most
  const measured = [
    { pictureSize: 256, bytes: 1068 * MIB },
    { pictureSize: 384, bytes: 3450 * MIB }
  ]
  for (const { pictureSize, bytes } of measured) {
    const { workBytes } = at(pictureSize)
    t.ok(workBytes >= bytes && workBytes < 2 * bytes, `${workBytes} for ${bytes}`)
  }
  t.ok(diffusionMemory(imported('stable-diffusion-xl')).weightBytes > 3 * weightBytes)
})

t.test('what looks at pictures beside a prior is counted apart: it is gone before the rest is loaded', async t => {
  const { weightBytes } = diffusionMemory(imported('kandinsky-2.2'))
  t.ok(weightBytes > 4 * 3_041_000_000 && weightBytes < 4 * 3_060_000_000, `${weightBytes}`)
})

t.test('sections need less each than the whole, and no less than their runs', async t => {
  for (const name of ['stable-diffusion-1.5', 'stable-diffusion-xl'] as const) {
    const manifest = imported(name)
    const whole = diffusionMemory(manifest)
    const ranges = sectionRanges(manifest)
    const sections = diffusionSections.map(section => diffusionMemory(manifest, ranges[section]))
    t.equal(
      sections.reduce((sum, { weightBytes }) => sum + weightBytes, 0),
      whole.weightBytes
    )
    t.equal(Math.max(...sections.map(({ workBytes }) => workBytes)), whole.workBytes)
    const perLayer = workBytesPerLayer(manifest)
    t.equal(perLayer.length, manifest.layers.length)
    for (const [at, section] of diffusionSections.entries()) {
      t.equal(perLayer[ranges[section].first], sections[at]?.workBytes)
      t.equal(perLayer[ranges[section].end - 1], sections[at]?.workBytes)
    }
    t.comment(name, JSON.stringify([whole, ...sections]))
  }
})

t.test('a step costs what its denoiser has', async t => {
  const [small, large] = (['stable-diffusion-1.5', 'stable-diffusion-xl'] as const).map(name =>
    diffusionWork(imported(name))
  )
  t.ok(Math.abs((small ?? 0) / 859_520_964 - 1) < 0.01)
  t.ok(Math.abs((large ?? 0) / 2_567_463_684 - 1) < 0.01)
})

t.test('files of different resolutions are different files, and parts stand one behind the other', async t => {
  const manifest = imported('stable-diffusion-xl')
  const { textEncoders, denoiser, decoder, encoder } = partFiles(manifest)
  t.same([...textEncoders.flat(), ...denoiser, ...decoder, ...encoder], manifest.layers)
  const levels = denoiser.map(
    ({ tensors }) => new Set(tensors.map(({ name }) => name.split('.').slice(0, 2).join('.')))
  )
  const inner = levels.filter(names => [...names].some(name => /^(up|down)\.\d$/.test(name)))
  t.ok(inner.every(names => names.size === 1))
})

/** With one tensor of the denoiser changed. */
function damaged(change: (file: WeightFile) => WeightFile): DiffusionManifest {
  const manifest = imported('stable-diffusion-1.5')
  const { denoiser } = partFiles(manifest)
  return { ...manifest, layers: manifest.layers.map(file => (file === denoiser[0] ? change(file) : file)) }
}

t.test('weight files that do not fit the config are refused', async t => {
  const build = (manifest: DiffusionManifest) => () =>
    buildDenoiserGraph({ manifest, weightLocation: ({ sha256 }) => sha256 })
  const [without, smaller, half] = [
    damaged(file => ({ ...file, tensors: file.tensors.filter(({ name }) => name !== 'time.1') })),
    damaged(file => ({
      ...file,
      tensors: file.tensors.map(tensor =>
        tensor.name === 'time.1' && 'shape' in tensor ? { ...tensor, shape: [7] } : tensor
      )
    })),
    damaged(file => ({
      ...file,
      tensors: file.tensors.map(tensor => ('shape' in tensor ? { ...tensor, encoding: 'f16' as const } : tensor))
    }))
  ]
  t.throws(build(without), { code: 'model_invalid', message: /have no tensor "time\.1"/ })
  t.throws(build(smaller), { code: 'model_invalid', message: /"time\.1" is \[7\] and should be/ })
  t.throws(build(half), { code: 'model_invalid', message: /is f16 and must be f32/ })
  const manifest = imported('stable-diffusion-1.5')
  t.throws(() => buildTextEncoderGraph({ manifest, weightLocation: () => '' }, 1), RangeError)
})
