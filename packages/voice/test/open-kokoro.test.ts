import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { field, number, TINY_STYLE_ROWS, type TinyKokoroInit, tinyKokoro } from '@resultity/test-nodes'
import t, { type Test } from 'tap'
import { kokoroAt, openKokoro } from '../src/index.ts'

function folderOf(t: Test, files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'resultity-kokoro-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

function filesOf(init: TinyKokoroInit = {}): Record<string, string | Uint8Array> {
  const { onnx, vocabulary, voices } = tinyKokoro(init)
  const tables = Object.entries(voices).map(([name, table]) => [`voices/${name}.bin`, table])
  return { 'k.onnx': onnx, 'vocab.json': vocabulary, ...Object.fromEntries(tables) }
}

function open(folder: string) {
  const files = kokoroAt(folder)
  if (files === undefined) throw new Error('there is none')
  return openKokoro(files)
}

t.test('a Kokoro is its graph as it is, and the styles of its English speakers', async t => {
  const { config, file, styles } = open(folderOf(t, filesOf()))
  t.match(config, {
    sampleRate: 24_000,
    language: 'en_US',
    styleRows: TINY_STYLE_ROWS,
    styleSize: 256,
    languages: { af_heart: 'en_US', af_anna: 'en_US', bm_ben: 'en_GB' }
  })
  t.strictSame(config.speakers, { af_heart: 0, af_anna: 1, bm_ben: 2 }, 'af_heart first, and nobody of other languages')
  t.strictSame([config.phonemeIds['^'], config.phonemeIds.$, config.phonemeIds[';']], [[0], [0], [1]])
  t.equal(config.license, undefined)
  const { onnx, voices } = tinyKokoro()
  t.strictSame(Buffer.concat([...file.chunks()]), Buffer.from(onnx))
  const { af_heart: heart, af_anna: anna, bm_ben: ben } = voices
  t.strictSame(
    Buffer.concat([...styles.chunks()]),
    Buffer.concat([heart, anna, ben].map(one => one ?? Buffer.alloc(0)))
  )
})

t.test('chunks of a file have memory of their own, since they are given away', async t => {
  const rows = Buffer.alloc(1024 * 1024, 1)
  const voices = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map(name => [`voices/af_${name}.bin`, rows]))
  const { onnx, vocabulary } = tinyKokoro()
  const { styles } = open(folderOf(t, { 'k.onnx': onnx, 'vocab.json': vocabulary, ...voices }))
  const chunks = [...styles.chunks()]
  t.ok(chunks.length > 1)
  t.ok(chunks.every(chunk => chunk.byteOffset === 0 && chunk.buffer.byteLength === chunk.byteLength))
  t.equal(
    chunks.reduce((sum, { byteLength }) => sum + byteLength, 0),
    5 * rows.length
  )
})

t.test('its licence is that of the card, or of the text beside it', async t => {
  const apache = '\n    Apache License\n   Version 2.0, January 2004\n'
  t.equal(open(folderOf(t, { ...filesOf(), LICENSE: apache })).config.license, 'Apache-2.0')
  t.equal(open(folderOf(t, { ...filesOf(), LICENSE: apache, MODEL_CARD: 'License: MIT' })).config.license, 'MIT')
  t.equal(open(folderOf(t, { ...filesOf(), LICENSE: 'All rights reserved' })).config.license, undefined)
})

t.test('a folder is one where everything is there', async t => {
  t.ok(kokoroAt(folderOf(t, filesOf())))
  const { 'vocab.json': _vocabulary, ...wordless } = filesOf()
  t.equal(kokoroAt(folderOf(t, wordless)), undefined)
  t.equal(kokoroAt(folderOf(t, { ...filesOf(), 'l.onnx': '' })), undefined, 'two graphs')
  t.equal(kokoroAt(folderOf(t, { 'k.onnx': '', 'vocab.json': '' })), undefined, 'no voices')
  t.equal(kokoroAt(join(folderOf(t, filesOf()), 'k.onnx')), undefined, 'a file')
  t.equal(kokoroAt('/nonexistent'), undefined)
})

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const runtimeNode = (type: string): Uint8Array => Buffer.concat([field(4, text(type)), field(7, text('com.microsoft'))])

t.test('a graph with anything but standard operators and some of the runtime is refused', async t => {
  const refused: readonly (readonly [TinyKokoroInit, RegExp])[] = [
    [{ node: runtimeNode('Inverse') }, /operator Inverse of "com\.microsoft"/],
    [{ node: runtimeNode('FastGelu/../Evil') }, /no standard one/],
    [{ node: Buffer.concat([field(7, text('com.evil')), field(4, text('FastGelu'))]) }, /"com\.evil"/],
    [{ more: field(8, Buffer.concat([field(1, text('com.evil')), number(2, 1)])) }, /"com\.evil"/],
    [{ node: field(4, text('Loop')) }, /Loop/],
    [{ more: field(25, text('')) }, /operators of its own/],
    [{ more: Uint8Array.from([0x3a, 0x7f]) }, /no ONNX model/]
  ]
  for (const [init, message] of refused) {
    t.throws(() => open(folderOf(t, filesOf(init))), { code: 'model_invalid', message })
  }
})

t.test('files that are no parts of a Kokoro are refused by name', async t => {
  const { voices } = tinyKokoro()
  const foreign = { 'k.onnx': '', 'vocab.json': '{}', 'voices/jf_alpha.bin': '', 'voices/Af.bin': '' }
  const nan = Buffer.alloc(1024)
  nan.writeFloatLE(Number.NaN, 16)
  const refused: readonly (readonly [Record<string, string | Uint8Array>, RegExp])[] = [
    [foreign, /voices: has no speaker of English/],
    [{ ...filesOf(), 'voices/af_heart.bin': 'short' }, /af_heart\.bin: has 5 bytes/],
    [{ ...filesOf(), 'voices/af_heart.bin': '' }, /af_heart\.bin/],
    [{ ...filesOf(), 'voices/af_heart.bin': nan }, /af_heart\.bin: has styles that are no numbers/],
    [{ ...filesOf(), 'voices/bm_ben.bin': voices.bm_ben?.subarray(0, 1024) ?? '' }, /af_heart and bm_ben/],
    [{ ...filesOf(), 'vocab.json': '{' }, /vocab\.json: is no JSON/],
    [{ ...filesOf(), 'vocab.json': '{"vocab":{"a":-1}}' }, /vocab\.json/],
    [{ ...filesOf(), 'vocab.json': '{"vocab":{"a":5000}}' }, /vocab\.json/],
    [{ ...filesOf(), 'k.onnx': '' }, /k\.onnx/]
  ]
  for (const [files, message] of refused) {
    t.throws(() => open(folderOf(t, files)), { code: 'model_invalid', message }, String(message))
  }
})
