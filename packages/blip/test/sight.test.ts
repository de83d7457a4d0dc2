import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildPictureReaderGraph, hasSight, openSight, planSightFiles, sightMemory } from '../src/index.ts'
import { sightConfig } from '../src/sight/sight-settings.ts'
import { collectSight } from '../src/sight/sight-tensors.ts'
import { fixtures, type Published, publishedTensors } from './published.ts'

const published: Published = JSON.parse(readFileSync(join(fixtures, 'idefics-published.json'), 'utf8'))
const places: { readonly rows: Readonly<Record<string, readonly number[]>> } = JSON.parse(
  readFileSync(join(fixtures, 'idefics-places.json'), 'utf8')
)

const models = [
  { name: 'SmolVLM-256M-Instruct', hiddenSize: 576 },
  { name: 'SmolVLM-500M-Instruct', hiddenSize: 960 }
] as const

/** As the repositories have it. */
const PROCESSOR = JSON.stringify({
  do_image_splitting: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  max_image_size: { longest_edge: 512 },
  resample: 1,
  size: { longest_edge: 2048 }
})

for (const { name, hiddenSize } of models) {
  t.test(`${name}: every tensor that looks at pictures has its place once, and its graph is built`, async t => {
    const text = JSON.stringify(published.models[name]?.config)
    const model = { file: 'config.json', text }
    const config = sightConfig(model, { file: 'preprocessor_config.json', text: PROCESSOR })
    t.match(config, { imageSize: 512, patchSize: 16, shuffle: 4, longestEdge: 2048, imageToken: 49_190 })
    const tensors = publishedTensors(name, published)
    const { ends, layers } = collectSight(name, config, hiddenSize, tensors)
    const found = [...ends, ...layers.flat()].flatMap(({ parts }) => parts.map(part => part.name))
    t.equal(new Set(found).size, found.length, 'none stands for two')
    const left = [...publishedTensors(name, published).names].filter(tensor => !found.includes(tensor))
    t.ok(
      left.every(tensor => /^model\.text_model\.|^lm_head\./.test(tensor)),
      'what is left is of the text'
    )
    const plans = planSightFiles({ config, ends, layers, [Symbol.dispose]: () => undefined })
    const files = plans.map(({ layout }, index) => ({ sha256: index.toString(16).padStart(64, '0'), ...layout }))
    t.equal(files.length, 13)
    const sight = { config, files }
    const graph = buildPictureReaderGraph({ sight, hiddenSize, weightLocation: ({ sha256 }) => sha256 })
    t.ok(graph.bytes.length < 200_000, 'weights are not in it')
    const { weightBytes, workBytes } = sightMemory(sight, hiddenSize)
    t.ok(weightBytes > 350e6 && weightBytes < 420e6)
    t.ok(workBytes > 100e6 && workBytes < 300e6)
  })
}

t.test('patches take their own places, and sides for which the reference rounds are refused', async t => {
  const of = (patches: number) => {
    const vision = { image_size: 2 * patches, patch_size: 2 }
    const text = JSON.stringify({ vision_config: vision, scale_factor: 1 })
    const processor = JSON.stringify({ max_image_size: { longest_edge: 2 * patches }, size: { longest_edge: 128 } })
    return sightConfig({ file: 'config.json', text }, { file: 'preprocessor_config.json', text: processor })
  }
  const rounded = Object.entries(places.rows).filter(([, rows]) => rows.some((row, at) => row !== at))
  const refused = Object.keys(places.rows).filter(count => Number(count) >= 8 && throws(() => of(Number(count))))
  t.same(
    refused,
    rounded.map(([count]) => count)
  )
  t.throws(() => of(65), { code: 'model_invalid' })
})

function throws(work: () => unknown): boolean {
  try {
    work()
    return false
  } catch {
    return true
  }
}

t.test('what would compute something else is refused by name', async t => {
  const config = (change: object) => ({ file: 'config.json', text: JSON.stringify(change) })
  const processor = (change: object) => ({
    file: 'preprocessor_config.json',
    text: JSON.stringify({ ...JSON.parse(PROCESSOR), ...change })
  })
  const vision = { image_size: 512, patch_size: 16 }
  const good = config({ vision_config: vision, scale_factor: 4 })
  t.equal(sightConfig(good, processor({})).shuffle, 4)
  for (const [model, how, what] of [
    [config({ vision_config: { ...vision, hidden_act: 'relu' } }), {}, /the activation "relu"/],
    [config({ vision_config: { ...vision, num_channels: 4 } }), {}, /4 colours/],
    [config({ vision_config: vision, scale_factor: 5 }), {}, /does not divide/],
    [good, { resample: 2 }, /resampling by number 2/],
    [good, { do_image_splitting: false }, /left out/],
    [good, { max_image_size: { longest_edge: 364 } }, /pieces of 364/],
    [good, { size: { longest_edge: 40_960 } }, /longestEdge/]
  ] as const) {
    t.throws(() => sightConfig(model, processor(how)), { code: 'model_invalid', message: what })
  }
  t.equal(hasSight('idefics3'), true)
  t.equal(hasSight('llama'), false)
  t.equal(hasSight(undefined), false)
})

t.test('the tiny model is opened', async t => {
  using source = openSight(join(fixtures, 'tiny-idefics'), 48)
  t.match(source.config, { imageSize: 24, patchSize: 4, shuffle: 3, longestEdge: 96 })
  t.equal(source.layers.length, 3)
  t.throws(() => openSight(join(fixtures, 'tiny-idefics'), 49), { code: 'model_invalid', message: /connector/ })
})
