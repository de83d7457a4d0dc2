import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { WeightFilePlan } from '@resultity/formats'
import { MeshError } from '@resultity/interface'
import t from 'tap'
import { isCt2Folder, openCt2Whisper, openHubWhisper, planWhisperFiles } from '../src/index.ts'

const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/${name}`, import.meta.url))
const HUB = fixture('tiny-whisper')
const CT2 = fixture('tiny-whisper-ct2')

const bytesOf = (file: WeightFilePlan) => Buffer.concat([...file.chunks()])

t.test('both formats give the same configuration and the same weight files, byte by byte', async t => {
  using hub = openHubWhisper(HUB)
  using ct2 = openCt2Whisper(CT2)
  t.same(ct2.config, hub.config)
  const [files, others] = [planWhisperFiles(hub), planWhisperFiles(ct2)]
  t.equal(files.length, 1 + 2 + 3, 'what is no layer, two layers of the encoder, three of the decoder')
  for (const [index, file] of files.entries()) {
    const other = others[index]
    t.same(other?.layout, file.layout, `layout of file ${index}`)
    t.ok(other !== undefined && bytesOf(other).equals(bytesOf(file)), `bytes of file ${index}`)
    t.equal(bytesOf(file).byteLength, file.layout.bytes)
  }
})

t.test('the configuration says what decoding needs', async t => {
  using hub = openHubWhisper(HUB)
  t.match(hub.config, {
    melBins: 80,
    audioContext: 1500,
    textContext: 448,
    hiddenSize: 32,
    encoderHeadCount: 2,
    decoderHeadCount: 4,
    vocabularySize: 1812,
    multilingual: true,
    tokens: {
      endOfText: 300,
      startOfTranscript: 301,
      translate: 305,
      noSpeech: 309,
      noTimestamps: 310,
      firstTimestamp: 311
    },
    languages: { en: 302, de: 303, haw: 304 },
    alignmentHeads: [
      [1, 0],
      [2, 3]
    ]
  })
})

t.test('a folder of CTranslate2 is told by its weights, not by their name', async t => {
  t.ok(isCt2Folder(CT2))
  t.notOk(isCt2Folder(HUB))
  const folder = changed(t, CT2, { 'model.bin': () => 'PK\x03\x04 a pickle of PyTorch' })
  t.notOk(isCt2Folder(folder))
})

t.test('without a list of its own, a model has its last heads for word times', async t => {
  const folder = changed(t, HUB, { 'generation_config.json': json => ({ ...json, alignment_heads: null }) })
  using source = openHubWhisper(folder)
  // the later half of three layers is two
  t.equal(source.config.alignmentHeads.length, 8)
  t.same(source.config.alignmentHeads[0], [1, 0])
  t.same(source.config.alignmentHeads.at(-1), [2, 3])
})

type Json = Readonly<Record<string, unknown>>
type Change = (json: Json) => Json | string

/** A copy of a folder with some of its JSON files changed. */
function changed(t: Tap, folder: string, changes: Readonly<Record<string, Change>>): string {
  const copy = mkdtempSync(join(tmpdir(), 'whisper-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  cpSync(folder, copy, { recursive: true })
  for (const [name, change] of Object.entries(changes)) {
    const path = join(copy, name)
    const after = change(name.endsWith('.json') ? JSON.parse(readFileSync(path, 'utf8')) : {})
    writeFileSync(path, typeof after === 'string' ? after : JSON.stringify(after))
  }
  return copy
}

type Tap = Pick<typeof t, 'teardown'>

const config = (change: Json) => ({ 'config.json': (json: Json) => ({ ...json, ...change }) })
const withoutToken = (token: string) => ({
  'tokenizer.json': (json: Json) => ({
    ...json,
    added_tokens: (json.added_tokens as { content: string }[]).filter(({ content }) => content !== token)
  })
})

const refusals: readonly {
  readonly id: string
  readonly folder: string
  readonly changes: Readonly<Record<string, Change>>
  readonly message: RegExp
}[] = [
  { id: 'another activation', folder: HUB, changes: config({ activation_function: 'relu' }), message: /"relu"/ },
  { id: 'an embedding that is scaled', folder: HUB, changes: config({ scale_embedding: true }), message: /is scaled/ },
  { id: 'a head of its own', folder: HUB, changes: config({ tie_word_embeddings: false }), message: /head of its own/ },
  { id: 'a layer too many', folder: HUB, changes: config({ decoder_layers: 4 }), message: /layers\.3\..* is missing/ },
  { id: 'a layer too few', folder: HUB, changes: config({ encoder_layers: 1 }), message: /layers\.1\..* has no place/ },
  { id: 'another width', folder: HUB, changes: config({ d_model: 64 }), message: /is 2560 × 3, .* implies 5120 × 3/ },
  { id: 'more bands', folder: HUB, changes: config({ num_mel_bins: 128 }), message: /"model.encoder.conv1.weight"/ },
  { id: 'no sizes', folder: HUB, changes: config({ d_model: null }), message: /"d_model"/ },
  { id: 'a token that steers missing', folder: HUB, changes: withoutToken('<|nospeech|>'), message: /<\|nospeech\|>/ },
  { id: 'the same beside CTranslate2', folder: CT2, changes: withoutToken('<|startofprev|>'), message: /startofprev/ },
  { id: 'no JSON', folder: CT2, changes: { 'config.json': () => '{' }, message: /config.json: is not JSON/ },
  {
    id: 'a head that the decoder lacks',
    folder: CT2,
    changes: config({ alignment_heads: [[3, 0]] }),
    message: /no head 0 on a layer 3/
  },
  {
    id: 'tokens outside of the vocabulary',
    folder: CT2,
    changes: config({ suppress_ids: [1812] }),
    message: /token 1812 is not of a vocabulary of 1812/
  },
  { id: 'no weights of CTranslate2', folder: CT2, changes: { 'model.bin': () => 'nothing' }, message: /model.bin/ }
]
for (const { id, folder, changes, message } of refusals) {
  t.test(`refuses ${id}`, async t => {
    const copy = changed(t, folder, changes)
    const open = folder === HUB ? openHubWhisper : openCt2Whisper
    t.throws(() => open(copy)[Symbol.dispose](), { code: 'model_invalid', message })
  })
}

t.test('refuses a model of CTranslate2 that is no Whisper, or that computes otherwise', async t => {
  const bytes = readFileSync(join(CT2, 'model.bin'))
  const patched = (change: (copy: Buffer) => void): string => {
    const copy = Buffer.from(bytes)
    change(copy)
    const folder = changed(t, CT2, {})
    writeFileSync(join(folder, 'model.bin'), copy)
    return folder
  }
  const other = patched(copy => copy.write('MarianSpecX', copy.indexOf('WhisperSpec'), 'latin1'))
  t.throws(() => openCt2Whisper(other), { code: 'model_invalid', message: /is a MarianSpecX/ })
  const renamed = patched(copy => copy.write('encoder/conv3/bias', copy.indexOf('encoder/conv2/bias'), 'latin1'))
  t.throws(() => openCt2Whisper(renamed), { code: 'model_invalid', message: /"encoder\/conv2\/bias" is missing/ })
  // the value stands behind the name, its zero, the rank, the type and the size
  const postNorm = patched(copy => copy.writeInt8(0, copy.indexOf('decoder/pre_norm\0') + 17 + 1 + 1 + 4))
  t.throws(() => openCt2Whisper(postNorm), { code: 'model_invalid', message: /"decoder\/pre_norm" is 0/ })
})

t.test('wherever its weights are cut off, only a typed error comes out', async t => {
  const bytes = readFileSync(join(CT2, 'model.bin'))
  const folder = changed(t, CT2, {})
  for (let length = 1; length < bytes.byteLength; length += 7919) {
    writeFileSync(join(folder, 'model.bin'), bytes.subarray(0, length))
    try {
      openCt2Whisper(folder)[Symbol.dispose]()
      t.fail(`accepted ${length} of ${bytes.byteLength} bytes`)
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'model_invalid') t.fail(`${length} bytes: ${String(error)}`)
    }
  }
})
