import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NamedTensors } from '@resultity/formats'
import { type BarkConfig, type BarkManifest, barkManifestSchema } from '@resultity/interface'
import t, { type Test } from 'tap'
import { BarkTensors } from '../src/bark/import/bark-tensors.ts'
import { barkConfig } from '../src/bark/import/config.ts'
import {
  barkMemory,
  buildBarkCodecGraph,
  buildBarkFineGraph,
  buildBarkWrittenGraph,
  isBarkFolder,
  openBark,
  planBarkFiles,
  promptOf
} from '../src/index.ts'
import { fixtures, publishedBarks, publishedConfig, publishedTensors } from './published-bark.ts'

const folder = join(fixtures, 'tiny-bark')
const voicesIn = (directory: string, name = ''): string => join(directory, 'speaker_embeddings', name)

function copied(t: Test): string {
  const directory = join(t.testdir({}), 'bark')
  cpSync(folder, directory, { recursive: true })
  return directory
}

/** Opens a copy of the tiny model after `change`. */
function refused(t: Test, message: RegExp, change: (directory: string) => void): void {
  const directory = copied(t)
  change(directory)
  t.throws(() => openBark(directory)[Symbol.dispose](), { code: 'model_invalid', message }, String(message))
}

function changeJson(
  directory: string,
  file: string,
  change: (json: Record<string, Record<string, unknown>>) => void
): void {
  const path = join(directory, file)
  const json = JSON.parse(readFileSync(path, 'utf8'))
  change(json)
  writeFileSync(path, JSON.stringify(json))
}

t.test('a folder is read: sizes, settings, voices in order, and what they have said', async t => {
  t.ok(isBarkFolder(folder))
  t.notOk(isBarkFolder(fixtures))
  using source = openBark(folder)
  const { config, voices } = source
  t.match(config, {
    sampleRate: 24_000,
    language: 'en',
    semantic: { layerCount: 2, hiddenSize: 16, end: 40, endProbability: 0.3, temperature: 0, topK: 50 },
    coarse: { historyLength: 18, windowLength: 6, codebookCount: 2 },
    fine: { inputLength: 16, historyLength: 8, codebookCount: 8, temperature: 0 },
    codec: { ratios: [4, 3, 2], residualCount: 2 }
  })
  t.strictSame(config.speakers, { announcer: 0, 'v2/de_speaker_1': 1, 'v2/en_speaker_0': 2 })
  t.strictSame(config.languages, { announcer: 'en', 'v2/de_speaker_1': 'de', 'v2/en_speaker_0': 'en' })
  t.equal(config.license, undefined, 'nobody has stated one')
  const [announcer, german, english] = voices
  t.strictSame(announcer?.fine, english?.fine, 'an archive and three arrays hold the same')
  const { prompts } = planBarkFiles(source)
  const bytes = Buffer.concat([...(prompts?.chunks() ?? [])])
  const { name, language, ...said } = german ?? { name: '', language: '' }
  t.strictSame([name, language], ['v2/de_speaker_1', 'de'])
  t.strictSame(promptOf(config, bytes, 1), said)
  t.equal(promptOf(config, bytes.subarray(1), 1), undefined)
})

t.test('a licence is the one of the card, and chance is that of the file', async t => {
  const directory = copied(t)
  writeFileSync(join(directory, 'README.md'), '---\nlicense: mit\n---\n# Bark\n')
  changeJson(directory, 'generation_config.json', json => {
    Object.assign(json.semantic_config ?? {}, { do_sample: true, temperature: 0.7, top_k: null, top_p: 0.9 })
    Object.assign(json.fine_acoustics_config ?? {}, { temperature: 0.5 })
  })
  using source = openBark(directory)
  t.match(source.config, {
    license: 'mit',
    semantic: { temperature: 0.7, topK: 50, topP: 0.9 },
    fine: { temperature: 0.5 }
  })
})

t.test('what would compute something else is refused by name', async t => {
  const config = (part: string, fields: object) => (directory: string) =>
    changeJson(directory, 'config.json', json => {
      json[part] = { ...json[part], ...fields }
    })
  refused(t, /codec_config\.norm_type/, config('codec_config', { norm_type: 'time_group_norm' }))
  refused(t, /codec_config\.use_causal_conv/, config('codec_config', { use_causal_conv: false }))
  refused(t, /n_codes_given/, config('fine_acoustics_config', { n_codes_given: 2 }))
  refused(t, /tie_word_embeddings/, config('fine_acoustics_config', { tie_word_embeddings: false }))
  refused(t, /the configuration implies/, config('coarse_acoustics_config', { hidden_size: 32 }))
  refused(t, /heads share/, config('semantic_config', { num_heads: 3 }))
  refused(t, /too short for a window/, config('coarse_acoustics_config', { block_size: 20 }))
  refused(t, /not JSON/, directory => writeFileSync(join(directory, 'config.json'), '{'))
  refused(t, /too short for what is written/, directory =>
    changeJson(directory, 'generation_config.json', json =>
      Object.assign(json.semantic_config ?? {}, { max_new_tokens: 100 })
    )
  )
  refused(t, /no weights|pickle/, directory => rmSync(join(directory, 'pytorch_model.bin')))
})

t.test('voices that are none are refused by name', async t => {
  const english = (part: string): string => `v2/en_speaker_0_${part}_prompt.npy`
  refused(t, /en_speaker_0: has no coarse prompt/, directory => rmSync(voicesIn(directory, english('coarse'))))
  refused(t, /no file of NumPy/, directory => writeFileSync(voicesIn(directory, english('fine')), 'PK'))
  refused(t, /8 rows/, directory =>
    cpSync(voicesIn(directory, english('coarse')), voicesIn(directory, english('fine')))
  )
  refused(t, /not from 0 to 15/, directory => {
    const path = voicesIn(directory, english('coarse'))
    const bytes = readFileSync(path)
    bytes.writeBigInt64LE(16n, bytes.length - 8)
    writeFileSync(path, bytes)
  })
  refused(t, /no ZIP archive/, directory => writeFileSync(voicesIn(directory, 'announcer.npz'), 'x'.repeat(100)))
  const directory = copied(t)
  rmSync(voicesIn(directory), { recursive: true })
  using source = openBark(directory)
  t.strictSame([source.config.prompts, planBarkFiles(source).prompts], [[], undefined], 'a Bark may have no voices')
})

/** A manifest as conversion makes it. */
function manifestOf(config: BarkConfig, tensors: NamedTensors): BarkManifest {
  const files = new BarkTensors('published', config, tensors).collect()
  const { layers } = planBarkFiles({ config, files, voices: [], [Symbol.dispose]: () => undefined })
  const sha256 = 'a'.repeat(64)
  const tokenizer = { definition: { sha256, bytes: 10 }, config: { sha256, bytes: 10 }, endTokenIds: [] }
  const named = layers.map(({ layout }) => ({ sha256, ...layout }))
  return barkManifestSchema.parse({
    version: 1,
    name: 'published',
    architecture: 'bark',
    config,
    tokenizer,
    layers: named
  })
}

for (const name of Object.keys(publishedBarks)) {
  t.test(`every tensor of ${name} has its place, and its graphs are built`, async t => {
    const model = { file: 'config.json', text: JSON.stringify(publishedConfig(name)) }
    const config = barkConfig({ model, card: undefined, generation: undefined }, () => [])
    const tensors = publishedTensors(name)
    const manifest = manifestOf(config, tensors)
    const stored = manifest.layers.flatMap(file => file.tensors).reduce((sum, { data }) => sum + data.bytes, 0)
    t.ok(stored > 4 * 0.95 * (publishedBarks[name]?.parameters ?? 0), `${stored} bytes`)
    const init = { manifest, weightLocation: () => 'weights' }
    for (const { bytes } of [
      buildBarkWrittenGraph(init, 'semantic'),
      buildBarkWrittenGraph(init, 'coarse'),
      buildBarkFineGraph(init),
      buildBarkCodecGraph(init)
    ]) {
      t.ok(bytes.byteLength > 1000)
    }
    const { weightBytes, workBytes } = barkMemory(manifest)
    t.ok(weightBytes > stored && workBytes > 50e6 && workBytes < 1e9, `${weightBytes} + ${workBytes} bytes`)
    const more: NamedTensors = {
      names: [...tensors.names, 'semantic.layers.0.attn.gate.weight'],
      get: tensor => tensors.get(tensor.replace('attn.gate', 'attn.out_proj'))
    }
    t.throws(() => new BarkTensors('x', config, more).collect(), { message: /attn\.gate\.weight" has no place/ })
    const less: NamedTensors = {
      ...tensors,
      get: tensor => (/up_|layers\.9\.conv\.bias/.test(tensor) ? undefined : tensors.get(tensor))
    }
    t.throws(() => new BarkTensors('x', config, less).collect(), { message: /is missing/ })
  })
}
