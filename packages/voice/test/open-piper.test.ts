import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { field, number, TINY_SAMPLE_RATE, type TinyVoiceInit, tinyVoice } from '@resultity/test-nodes'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { summarizeGraph } from '../src/import/onnx-check.ts'
import { openPiperVoice, piperVoiceAt } from '../src/index.ts'

function folderOf(t: Test, files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'resultity-voice-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

function voiceFolder(
  t: Test,
  init: TinyVoiceInit = {},
  change: (json: Record<string, unknown>) => object = json => json
): string {
  const { onnx, json } = tinyVoice(init)
  return folderOf(t, { 'v.onnx': onnx, 'v.onnx.json': JSON.stringify(change(JSON.parse(json))) })
}

function open(folder: string) {
  return openPiperVoice(piperVoiceAt(folder) ?? '')
}

t.test('a voice is its settings and its file as it is', async t => {
  const folder = voiceFolder(t)
  writeFileSync(join(folder, 'MODEL_CARD'), '# Model card\n\n* License: CC0\n')
  const { config, file } = open(folder)
  t.match(config, { sampleRate: TINY_SAMPLE_RATE, language: 'en_US', license: 'CC0', speakers: {}, lengthScale: 1 })
  t.strictSame(Buffer.concat([...file.chunks()]), Buffer.from(tinyVoice().onnx))
  t.strictSame(file.layout, { bytes: tinyVoice().onnx.length, tensors: [] })
  t.strictSame(open(voiceFolder(t, { speakers: true })).config.speakers, { anna: 0, ben: 1, cleo: 2 })
})

t.test('a voice is found by its file or its folder', async t => {
  const { onnx, json } = tinyVoice()
  const folder = folderOf(t, { 'a.onnx': onnx, 'a.onnx.json': json })
  t.equal(piperVoiceAt(folder), join(folder, 'a.onnx'))
  t.equal(piperVoiceAt(join(folder, 'a.onnx')), join(folder, 'a.onnx'))
  t.equal(piperVoiceAt(join(folder, 'a.onnx.json')), undefined)
  t.equal(piperVoiceAt(folderOf(t, { 'a.onnx': onnx })), undefined, 'no settings')
  t.equal(
    piperVoiceAt(folderOf(t, { 'a.onnx': onnx, 'a.onnx.json': json, 'b.onnx': onnx, 'b.onnx.json': json })),
    undefined
  )
  t.equal(piperVoiceAt(join(folder, 'nothing')), undefined)
})

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const external = Buffer.concat([field(8, text('w')), number(14, 1)])
const named = Buffer.concat([
  field(8, text('w')),
  field(13, Buffer.concat([field(1, text('location')), field(2, text('/etc/passwd'))]))
])

const refused: Readonly<Record<string, readonly [TinyVoiceInit, RegExp]>> = {
  'an operator of somebody else': [
    { node: Buffer.concat([field(4, text('Evil')), field(7, text('com.evil'))]) },
    /"com\.evil"/
  ],
  'an import of such operators': [
    { more: field(8, Buffer.concat([field(1, text('com.evil')), number(2, 1)])) },
    /"com\.evil"/
  ],
  'a newer version of operators': [{ more: field(8, number(2, 99)) }, /version 99/],
  'functions of its own': [{ more: field(25, text('')) }, /operators of its own/],
  'a part for training': [{ more: field(20, text('')) }, /training/],
  'a second graph': [{ more: field(7, text('')) }, /two graphs/],
  'a loop': [{ node: field(4, text('Loop')) }, /Loop/],
  'weights in another file': [{ node: field(5, field(5, external)) }, /"w" lies in another file/],
  'weights in a named file': [{ node: field(5, field(5, named)) }, /another file/],
  'sparse weights in another file': [{ node: field(5, field(22, field(1, external))) }, /another file/],
  'the same within a condition': [{ node: field(5, field(6, field(5, external))) }, /another file/],
  'graphs that lie deep in each other': [{ node: nested(6) }, /deep/],
  'a message that is cut off': [{ more: Uint8Array.from([0x3a, 0x7f]) }, /no ONNX model/]
}

function nested(depth: number): Uint8Array {
  return depth === 0 ? text('') : field(5, field(6, field(1, nested(depth - 1))))
}

for (const [what, [init, message]] of Object.entries(refused)) {
  t.test(`${what} is refused`, async t => {
    t.throws(() => open(voiceFolder(t, init)), { code: 'model_invalid', message })
  })
}

t.test('settings that cannot be served are refused', async t => {
  const bad: readonly (readonly [(json: Record<string, unknown>) => object, RegExp])[] = [
    [json => ({ ...json, language: { code: 'de_DE' } }), /speaks de_DE/],
    [json => ({ ...json, phoneme_type: 'text' }), /phoneme_type/],
    [json => ({ ...json, audio: { sample_rate: 1 } }), /sampleRate/],
    [json => ({ ...json, phoneme_id_map: { a: [500] } }), /id 500/],
    [json => ({ ...json, num_speakers: 2, speaker_id_map: { anna: 0 } }), /reads input, input_lengths, scales/],
    [() => ({}), /audio/]
  ]
  for (const [change, message] of bad) {
    t.throws(() => open(voiceFolder(t, {}, change)), { code: 'model_invalid', message })
  }
  const folder = folderOf(t, { 'v.onnx': tinyVoice().onnx, 'v.onnx.json': '{' })
  t.throws(() => open(folder), { code: 'model_invalid', message: /no JSON/ })
  const empty = folderOf(t, { 'v.onnx': '', 'v.onnx.json': tinyVoice().json })
  t.throws(() => open(empty), { code: 'model_invalid', message: /empty/ })
})

t.test('any bytes are read, or refused by name', async () => {
  const model = tinyVoice().onnx
  const known = (bytes: Uint8Array): boolean => {
    try {
      summarizeGraph(bytes)
      return true
    } catch (error) {
      return error instanceof Error && /^(?:GraphRefused|ProtobufError)$/.test(error.constructor.name)
    }
  }
  assertProperty(fc.property(fc.uint8Array({ maxLength: 200 }), known))
  assertProperty(
    fc.property(fc.nat(model.length - 1), fc.nat(255), (at, byte) => {
      const changed = Uint8Array.from(model)
      changed[at] = byte
      return known(changed) && known(model.subarray(0, at))
    }),
    { numRuns: 500 }
  )
})
