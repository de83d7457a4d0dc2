import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { dequantize, memorySource, openTorchCheckpoint, readZipDirectory, readZipEntry } from '../src/index.ts'

/** An archive of files, stored as they are or deflated. */
function zipOf(files: Readonly<Record<string, Uint8Array>>, deflated: readonly string[] = []): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(files)) {
    const packed = deflated.includes(name) ? deflateRawSync(content) : content
    const sizes = [crc32(content), packed.byteLength, content.byteLength]
    const method = deflated.includes(name) ? 8 : 0
    const head = Buffer.alloc(26)
    head.writeUInt16LE(method, 4)
    for (const [at, size] of sizes.entries()) head.writeUInt32LE(size, 10 + 4 * at)
    head.writeUInt16LE(name.length, 22)
    parts.push(Buffer.from('PK\x03\x04'), head, Buffer.from(name), Buffer.from(packed))
    const tail = Buffer.alloc(16)
    tail.writeUInt32LE(offset, 12)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\0\0'), head, tail.subarray(2), Buffer.from(name)]))
    offset += 4 + head.length + name.length + packed.byteLength
  }
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, listed, end])
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1')
const unicode = (text: string): Buffer => {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  return Buffer.concat([ascii('X'), length, ascii(text)])
}

/** What `torch.save({'w': …})` writes of a tensor of two times two numbers. */
function tensorPickle({
  kind = 'FloatStorage',
  offset = 0,
  shape = [2, 2],
  strides = [2, 1],
  name = 'w',
  key = '0'
} = {}): Buffer {
  const small = (value: number): Buffer => Buffer.from([0x4b, value])
  return Buffer.concat([
    ascii('\x80\x02}'),
    unicode(name),
    ascii('ctorch._utils\n_rebuild_tensor_v2\n(('),
    unicode('storage'),
    ascii(`ctorch\n${kind}\n`),
    unicode(key),
    unicode('cpu'),
    small(4),
    ascii('tQ'),
    small(offset),
    ...shape.map(small),
    ascii(`\x86`),
    ...strides.map(small),
    ascii('\x86\x89ccollections\nOrderedDict\n)RtRs.')
  ])
}

const numbers = (): Uint8Array => new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer)

const open = (pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = { '0': numbers() }) =>
  openTorchCheckpoint(
    memorySource(
      'model.bin',
      zipOf({
        'archive/data.pkl': pickle,
        ...Object.fromEntries(Object.entries(storages).map(([key, bytes]) => [`archive/data/${key}`, bytes]))
      })
    )
  )

const refused = (t: Test, work: () => unknown, message: RegExp): void => {
  t.throws(work, { code: 'model_invalid', message }, String(message))
}

t.test('tensors of a checkpoint are read as they are stored', async t => {
  const tensors = open(tensorPickle())
  t.strictSame([...tensors.names], ['w'])
  const tensor = tensors.get('w')
  t.match(tensor, { rows: 2, columns: 2, encoding: 'F32', rowBytes: 8 })
  if (tensor !== undefined) t.strictSame([...dequantize('F32', tensor.read(1, 1))], [3, 4])
  t.strictSame([...open(tensorPickle({ kind: 'LongStorage' })).names], [], 'whole numbers are no weights')
})

t.test('a checkpoint of torch itself is read: ties are one storage, masks are passed over', async t => {
  const path = join(import.meta.dirname, '../../../voice/test/fixtures/tiny-bark/pytorch_model.bin')
  const tensors = openTorchCheckpoint(memorySource('pytorch_model.bin', readFileSync(path)))
  t.equal([...tensors.names].length, 252)
  t.match(tensors.get('semantic.lm_head.weight'), { rows: 44, columns: 16, encoding: 'F16' })
  t.equal(tensors.get('semantic.layers.0.attn.bias'), undefined)
  const [head, table] = ['lm_heads.0', 'input_embeds_layers.1'].map(name =>
    tensors.get(`fine_acoustics.${name}.weight`)
  )
  t.strictSame(head?.extent, table?.extent)
})

t.test('whatever runs code, or is none of what tensors are made of, is refused', async t => {
  const pickle = (text: string): Buffer => ascii(`\x80\x02${text}`)
  refused(t, () => open(pickle('cos\nsystem\n(X\x02\0\0\0lstR.')), /names "os\.system"/)
  refused(t, () => open(pickle('cbuiltins\neval\n(X\x01\0\0\x001tR.')), /names "builtins\.eval"/)
  refused(t, () => open(pickle('ctorch\nFloatStorage\n)R.')), /calls "torch\.FloatStorage"/)
  refused(t, () => open(pickle('(ios\nsystem\n.')), /operation 0x69/)
  refused(t, () => open(pickle('cos\nsystem\n\x81.')), /names "os\.system"/)
  refused(t, () => open(pickle('\x93.')), /operation 0x93/)
  refused(t, () => open(ascii('\x80\x04}.')), /protocol 4/)
  refused(t, () => open(pickle('}')), /breaks off/)
  refused(t, () => open(pickle('}q\x01h\x02.')), /recalls 2/)
  refused(t, () => open(pickle('t.')), /ends what was not begun/)
  refused(t, () => open(pickle('].')), /no dictionary/)
  refused(t, () => open(pickle('}.')), /no tensors/)
  refused(t, () => open(pickle('(]'.repeat(2000))), /nested too deep/)
})

t.test('a small pickle makes no large value', async t => {
  // a list that is doubled again and again would have 2⁴⁰ items, were it not counted
  const doubling = '(h\0h\0e'.repeat(40)
  refused(t, () => open(ascii(`\x80\x02]q\0${doubling}.`)), /./)
  refused(t, () => open(ascii(`\x80\x02${'N'.repeat(1_200_000)}.`)), /too many values/)
})

t.test('tensors that do not fit their storages are refused', async t => {
  refused(t, () => open(tensorPickle({ offset: 1 })), /more than its storage/)
  refused(t, () => open(tensorPickle({ strides: [1, 2] })), /not lie in one piece/)
  refused(t, () => open(tensorPickle({ key: '1' })), /are missing/)
  refused(t, () => open(tensorPickle({ kind: 'DoubleStorage' })), /64 bits/)
  refused(t, () => open(tensorPickle({ kind: 'StringStorage' })), /names "torch\.StringStorage"/)
})

/** The same archive as one of 64 bits: sizes and places stand in further fields. */
function widened(archive: Buffer): Buffer {
  const end = archive.length - 22
  const listed = archive.readUInt32LE(end + 16)
  const entries: Buffer[] = []
  for (let at = listed; at < end; ) {
    const nameEnd = at + 46 + archive.readUInt16LE(at + 28)
    const entry = Buffer.from(archive.subarray(at, nameEnd))
    const extra = Buffer.alloc(28)
    extra.writeUInt16LE(1, 0)
    extra.writeUInt16LE(24, 2)
    for (const [index, field] of [24, 20, 42].entries()) {
      extra.writeBigUInt64LE(BigInt(entry.readUInt32LE(field)), 4 + 8 * index)
      entry.writeUInt32LE(0xffff_ffff, field)
    }
    entry.writeUInt16LE(extra.length, 30)
    entries.push(Buffer.concat([entry, extra]))
    at = nameEnd
  }
  const directory = Buffer.concat(entries)
  const record = Buffer.alloc(56)
  record.write('PK\x06\x06')
  for (const [index, value] of [entries.length, directory.length, listed].entries()) {
    record.writeBigUInt64LE(BigInt(value), 32 + 8 * index)
  }
  const locator = Buffer.alloc(20)
  locator.write('PK\x06\x07')
  locator.writeBigUInt64LE(BigInt(listed + directory.length), 8)
  const last = Buffer.alloc(22, 0xff)
  last.write('PK\x05\x06')
  last.writeUInt16LE(0, 20)
  return Buffer.concat([archive.subarray(0, listed), directory, record, locator, last])
}

t.test('an archive of 64 bits is read, as those over 4 GB are', async t => {
  const archive = widened(zipOf({ 'a/data.pkl': tensorPickle(), 'a/data/0': numbers() }))
  const tensor = openTorchCheckpoint(memorySource('large.bin', archive)).get('w')
  t.strictSame([...dequantize('F32', tensor?.read(0, 2) ?? new Uint8Array())], [1, 2, 3, 4])
  const far = Buffer.from(archive)
  far.writeBigUInt64LE(2n ** 60n, far.length - 22 - 20 + 8)
  refused(t, () => openTorchCheckpoint(memorySource('large.bin', far)), /damaged/)
})

t.test('archives that are damaged are refused, and a file by its checksum', async t => {
  const archive = zipOf({ a: ascii('hello'), b: new Uint8Array(100_000) }, ['b'])
  const entries = readZipDirectory(memorySource('zip', archive))
  const [a, b] = [entries.get('a'), entries.get('b')]
  if (a === undefined || b === undefined) throw new Error('they are not listed')
  t.equal(Buffer.from(readZipEntry(memorySource('zip', archive), a, 100)).toString(), 'hello')
  t.equal(readZipEntry(memorySource('zip', archive), b, 100_000).byteLength, 100_000)
  refused(t, () => readZipEntry(memorySource('zip', archive), b, 50_000), /the limit is 50000/)
  const lying = { ...b, bytes: 50_000 }
  refused(t, () => readZipEntry(memorySource('zip', archive), lying, 60_000), /cannot be unpacked/)
  const changed = Buffer.from(archive)
  changed[changed.indexOf('hello')] = 0x48
  refused(t, () => readZipEntry(memorySource('zip', changed), a, 100), /checksum/)
  refused(t, () => readZipDirectory(memorySource('zip', archive.subarray(0, -1))), /no ZIP archive/)
  refused(t, () => openTorchCheckpoint(memorySource('zip', archive)), /no data\.pkl/)
  refused(
    t,
    () => openTorchCheckpoint(memorySource('old', ascii('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.'))),
    /no ZIP archive/
  )
})
