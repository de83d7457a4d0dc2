import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { diffusionMemory } from '@resultity/diffusion-model'
import type { BlobStore } from '@resultity/interface'
import { placeable, placeableCaptioner, placeableDiffusion } from '@resultity/test-nodes'
import { createEncoderTokenizer, createTokenizer, PicturePromptEncoder } from '@resultity/tokenizer'
import t from 'tap'
import { type ServedModel, ServedModels } from '../src/index.ts'
import { shapeOf } from '../src/placement/placeable-model.ts'

const definition = readFileSync(new URL('../../../whisper/test/fixtures/tiny-whisper/tokenizer.json', import.meta.url))
const tokenizer = createTokenizer(
  { definition, config: new TextEncoder().encode('{}'), endTokenIds: [300] },
  { vocabularySize: 1812, contextLength: 448 }
)

function speech(name: string): ServedModel {
  const specimen = { ...placeable(2), name, manifestSha256: name.padEnd(64, '0') }
  return { kind: 'speech', id: name, aliases: [], placeable: specimen, createdAt: 0, tokenizer }
}

t.test('a model for speech is found for speech, and nothing else', async t => {
  await using models = new ServedModels()
  models.add(speech('whisper'))
  t.equal(models.findSpeech('whisper').id, 'whisper')
  t.throws(() => models.findSpeech('other'), { code: 'model_not_found', hint: /"whisper"/ })
  for (const find of ['findDecoder', 'findEncoder', 'findScorer', 'findClassifier'] as const) {
    t.throws(
      () => models[find]('whisper'),
      { code: 'invalid_request', message: /writes what is said/, hint: /\/v1\/audio\/transcriptions/ },
      find
    )
  }
})

t.test('a model that is told apart from its namesake is placed by the name that tells it apart', async t => {
  await using models = new ServedModels()
  models.add(models.toldApart(speech('whisper')))
  const second = speech('whisper')
  const other = models.toldApart({ ...second, placeable: { ...second.placeable, manifestSha256: 'ab'.repeat(32) } })
  t.match(other, { id: 'whisper@abababab', placeable: { name: 'whisper@abababab' } })
  t.ok(models.add(other))
  t.equal(models.findSpeech('whisper@abababab').placeable.name, 'whisper@abababab')
  t.equal(models.findSpeech('whisper').placeable.name, 'whisper')
})

t.test('a model that describes pictures is found for that, and nothing else', async t => {
  const placeable = placeableCaptioner()
  const { manifest } = placeable
  if (manifest.architecture !== 'blip') throw new Error('it is none')
  const words = new URL('../../../blip/test/fixtures/tiny-captioner/tokenizer.json', import.meta.url)
  const limits = { vocabularySize: 100, contextLength: 40 }
  const tokenizer = createEncoderTokenizer(readFileSync(words), limits)
  await using models = new ServedModels()
  const { config } = manifest
  models.add({ kind: 'captioner', id: 'blip', aliases: [], placeable, createdAt: 0, config, tokenizer })
  models.add(speech('whisper'))
  t.equal(models.findCaptioner('blip').id, 'blip')
  t.throws(() => models.findCaptioner('whisper'), { code: 'invalid_request', hint: /"blip"/ })
  t.throws(() => models.findVoice('blip'), { message: /says what pictures show/, hint: /\/v1\/images\/description/ })
})

t.test('a model that draws is found for that, and its placement has room for its runs', async t => {
  const placeable = placeableDiffusion()
  const { manifest } = placeable
  if (manifest.architecture !== 'diffusion') throw new Error('it draws nothing')
  await using models = new ServedModels()
  const { config } = manifest
  const vocabulary = '{"a</w>":0,"<|startoftext|>":98,"<|endoftext|>":99}'
  const folder = t.testdir({ vocabulary, merges: '#version: 0.2' })
  const pathOf = (sha256: string): string => join(folder, sha256.startsWith('2') ? 'vocabulary' : 'merges')
  const store = {
    find: async (sha256: string) => pathOf(sha256),
    read: async (sha256: string) => readFileSync(pathOf(sha256))
  }
  const prompts = await PicturePromptEncoder.open(manifest, store as unknown as BlobStore)
  models.add({ kind: 'diffusion', id: 'painter', aliases: [], placeable, createdAt: 0, config, prompts })
  models.add(speech('whisper'))
  t.equal(models.findDiffusion('painter').id, 'painter')
  t.throws(() => models.findDiffusion('whisper'), { code: 'invalid_request', hint: /"painter"/ })
  t.throws(() => models.findDecoder('painter'), { message: /draws pictures/, hint: /\/v1\/images\/generations/ })
  const { layerBytes, workBytes = [], cuts, kvBytesPerLayer } = shapeOf(placeable)
  t.equal(layerBytes.length, 4)
  t.equal(Math.max(...workBytes), diffusionMemory(manifest).workBytes)
  t.same(cuts, [1, 2], 'it may be cut between its sections')
  t.equal(kvBytesPerLayer, 0)
})
