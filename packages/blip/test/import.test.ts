import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CaptionManifest, captionManifestSchema, MeshError } from '@resultity/interface'
import t, { type Test } from 'tap'
import { BlipTensors } from '../src/import/blip-tensors.ts'
import { blipConfig } from '../src/import/config.ts'
import { buildCaptionTextGraph, buildSightGraph, captionMemory, openBlip, planBlipFiles } from '../src/index.ts'
import { fixtures, published, publishedTensors } from './published.ts'

const CAPTIONER = join(fixtures, 'tiny-captioner')
const ANSWERER = join(fixtures, 'tiny-answerer')

const models = [
  { name: 'blip-image-captioning-base', task: 'caption', layers: 24, millions: 247, vision: 768 },
  { name: 'blip-image-captioning-large', task: 'caption', layers: 36, millions: 470, vision: 1024 },
  { name: 'blip-vqa-base', task: 'answer', layers: 36, millions: 385, vision: 768 }
] as const

/** A manifest of what was planned: the hashes stand for files that nobody has written. */
function manifestOf(source: Parameters<typeof planBlipFiles>[0]): CaptionManifest {
  const [embedding, ...layers] = planBlipFiles(source).map(({ layout }, index) => ({
    sha256: index.toString(16).padStart(64, '0'),
    ...layout
  }))
  const blob = { sha256: 'f'.repeat(64), bytes: 1 }
  return captionManifestSchema.parse({
    version: 1,
    name: 'a model',
    architecture: 'blip',
    config: source.config,
    tokenizer: { definition: blob, config: blob, endTokenIds: [] },
    embedding,
    layers
  })
}

for (const { name, task, layers, millions, vision } of models) {
  t.test(`${name}: every tensor has its place once, and graphs of its width are built without weights`, async t => {
    const text = JSON.stringify(published.models[name]?.config)
    const config = blipConfig({ file: 'config.json', text }, undefined, task)
    t.match(config, { imageSize: 384, patchSize: 16, vision: { hiddenSize: vision }, text: { headCount: 12 } })
    t.same(config.tokens, { begin: 30_522, end: 102 })
    const tensors = publishedTensors(name)
    const asked = new Map<string, number>()
    const counted = {
      names: tensors.names,
      get: (tensor: string) => {
        asked.set(tensor, (asked.get(tensor) ?? 0) + 1)
        return tensors.get(tensor)
      }
    }
    const { ends, layers: found } = new BlipTensors(name, config, counted).collect()
    const places = [...ends, ...found.flat()].flatMap(({ parts }) => parts.map(part => part.name))
    t.equal(new Set(places).size, places.length, 'none stands for two')
    const left = [...publishedTensors(name).names].filter(tensor => !places.includes(tensor))
    t.same(
      left,
      ['text_decoder.cls.predictions.decoder.bias'],
      'but for the second name of a vector, none is left over'
    )
    t.equal(found.length, layers)
    const manifest = manifestOf({ config, ends, layers: found, [Symbol.dispose]: () => undefined })
    const weightLocation = ({ sha256 }: { readonly sha256: string }) => sha256
    const sight = buildSightGraph({ manifest, weightLocation })
    const written = buildCaptionTextGraph({ manifest, weightLocation })
    t.same(sight.cross, written.cross)
    t.equal(sight.cross.length, 12)
    t.equal(sight.question !== undefined, task === 'answer')
    t.ok(sight.bytes.length + written.bytes.length < 1_000_000, 'weights are not in them')
    const { weightBytes, cacheBytes, workBytes } = captionMemory({ manifest, picturesMax: 2 })
    const head = 4 * 30_524 * 768
    t.equal(Math.round((weightBytes - head) / 4e6), millions, 'million numbers')
    t.equal(cacheBytes, 2 * 2 * 12 * ((task === 'answer' ? 512 : 577) + 512) * 768 * 4)
    t.ok(workBytes > 4 * 512 * 30_524 && workBytes < 1e9)
  })
}

t.test('folders say whether they answer, and what they need', async t => {
  using captioner = openBlip(CAPTIONER)
  using answerer = openBlip(ANSWERER)
  t.match(captioner.config, {
    task: 'caption',
    imageSize: 32,
    patchSize: 8,
    vision: { layerCount: 2, hiddenSize: 24, headCount: 3, feedForwardSize: 40, epsilon: 1e-5 },
    text: { layerCount: 3, hiddenSize: 32, headCount: 4, feedForwardSize: 48, epsilon: 1e-12 },
    textContext: 40
  })
  t.equal(answerer.config.task, 'answer')
  t.equal(answerer.layers.length, 2 + 3 + 3)
  for (const source of [captioner, answerer]) {
    for (const file of planBlipFiles(source)) {
      t.equal(Buffer.concat([...file.chunks()]).byteLength, file.layout.bytes)
    }
  }
})

t.test('a head that is not there is the embedding, and a bias may have either name', async t => {
  const [model] = models
  const tensors = publishedTensors(model.name)
  const text = JSON.stringify(published.models[model.name]?.config)
  const config = blipConfig({ file: 'config.json', text }, undefined, 'caption')
  const gone = ['text_decoder.cls.predictions.decoder.weight', 'text_decoder.cls.predictions.bias']
  const names = [...tensors.names].filter(name => !gone.includes(name))
  const get = (name: string) => (gone.includes(name) ? undefined : tensors.get(name))
  const { ends } = new BlipTensors('tied', config, { names, get }).collect()
  const bias = ends.find(({ name }) => name === 'head_bias')
  t.equal(bias?.parts[0].name, 'text_decoder.cls.predictions.decoder.bias')
  t.notOk(ends.some(({ name }) => name === 'head'))
})

type Json = Readonly<Record<string, unknown>>

/** A copy of a folder with one of its JSON files changed. */
function changed(t: Test, folder: string, file: string, change: (json: Json) => Json | string): string {
  const copy = mkdtempSync(join(tmpdir(), 'blip-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  cpSync(folder, copy, { recursive: true })
  const made = change(JSON.parse(readFileSync(join(copy, file), 'utf8')))
  writeFileSync(join(copy, file), typeof made === 'string' ? made : JSON.stringify(made))
  return copy
}

const inText = (fields: Json) => (json: Json) => ({
  ...json,
  text_config: { ...(json.text_config as Json), ...fields }
})
const inVision = (fields: Json) => (json: Json) => ({
  ...json,
  vision_config: { ...(json.vision_config as Json), ...fields }
})

const wrong = [
  { file: 'config.json', change: () => 'no JSON', says: /is not JSON/ },
  { file: 'config.json', change: inText({ hidden_act: 'relu' }), says: /activation "relu"/ },
  { file: 'config.json', change: inText({ position_embedding_type: 'relative_key' }), says: /relative_key/ },
  { file: 'config.json', change: inText({ num_attention_heads: 5 }), says: /headCount/ },
  { file: 'config.json', change: inText({ bos_token_id: 5000 }), says: /token 5000/ },
  { file: 'config.json', change: inText({ num_hidden_layers: 2 }), says: /layer\.2/ },
  { file: 'config.json', change: inText({ num_hidden_layers: 4 }), says: /layer\.3.* is missing/ },
  { file: 'config.json', change: inText({ vocab_size: 40 }), says: /token/ },
  { file: 'config.json', change: inVision({ patch_size: 7 }), says: /no whole patches/ },
  { file: 'config.json', change: inVision({ image_size: 64 }), says: /32 × 32/ },
  { file: 'config.json', change: inVision({ image_size: 1e9 }), says: /is not supported|imageSize/ },
  { file: 'config.json', change: inVision({ hidden_size: 48 }), says: /implies 1152/ },
  { file: 'preprocessor_config.json', change: (json: Json) => ({ ...json, resample: 2 }), says: /resampling/ },
  { file: 'preprocessor_config.json', change: (json: Json) => ({ ...json, rescale_factor: 1 }), says: /rescale/ },
  { file: 'preprocessor_config.json', change: (json: Json) => ({ ...json, do_normalize: false }), says: /left out/ },
  { file: 'preprocessor_config.json', change: (json: Json) => ({ ...json, image_std: [1, 0, 1] }), says: /deviation/ }
]

t.test('what would compute something else is refused, and named', async t => {
  for (const { file, change, says } of wrong) {
    try {
      openBlip(changed(t, CAPTIONER, file, change))[Symbol.dispose]()
      t.fail(`taken: ${says}`)
    } catch (error) {
      t.ok(error instanceof MeshError && error.code === 'model_invalid', String(error))
      t.match(String(error), says)
    }
  }
  const wider = changed(t, ANSWERER, 'config.json', inVision({ hidden_size: 24 }))
  t.throws(() => openBlip(wider), { code: 'model_invalid', message: /what reads questions has 32 hidden values/ })
})
