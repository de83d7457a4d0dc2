import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openGguf } from '../src/import/gguf-source.ts'
import { openSafetensorsDirectory } from '../src/import/safetensors-source.ts'
import { chooseHubFiles } from '../src/sources/hub-files.ts'
import { floatTensor, ggufBytes, safetensorsBytes, TINY_CHAT, tinyChatTensors, tinyGguf } from './tiny-models.ts'

const WHOLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'
const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n'

interface Stored {
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
  readonly dtype?: string
}

const tensors: ReadonlyMap<string, Stored> = tinyChatTensors()

/** A safetensors file of these tensors, one after the other. */
function weights(stored: ReadonlyMap<string, Stored>): Uint8Array<ArrayBuffer> {
  let end = 0
  const header = [...stored].map(([name, { shape, bytes, dtype = 'F16' }]) => {
    const begin = end
    end += bytes.byteLength
    return [name, { dtype, shape, data_offsets: [begin, end] }]
  })
  return safetensorsBytes(Object.fromEntries(header), Buffer.concat([...stored.values()].map(({ bytes }) => bytes)))
}

const whole = (): Uint8Array => readFileSync(join(TINY_CHAT, WHOLE))
const shards = [new Map([...tensors].slice(0, 20)), new Map([...tensors].slice(20))].map(weights)
const shardName = (index: number, of = 2): string => `model-0000${index + 1}-of-0000${of}.safetensors`
const indexOf = (names: readonly string[]): string =>
  JSON.stringify({ weight_map: Object.fromEntries(names.map((name, at) => [`tensor ${at}`, name])) })
const both = { [shardName(0)]: shards[0] ?? '', [shardName(1)]: shards[1] ?? '' }

/** A folder with tiny-chat's configuration and these files. */
function folder(t: Test, files: Readonly<Record<string, Uint8Array | string>>): string {
  const directory = t.testdir({})
  copyFileSync(join(TINY_CHAT, 'config.json'), join(directory, 'config.json'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content)
  return directory
}

const taken: Readonly<Record<string, () => Readonly<Record<string, Uint8Array | string>>>> = {
  'one file': () => ({ [WHOLE]: whole() }),
  'shards that an index names': () => ({ ...both, [INDEX]: indexOf([shardName(0), shardName(1)]) }),
  'an index of other files beside the whole one': () => ({ [WHOLE]: whole(), [INDEX]: indexOf([shardName(0, 9)]) }),
  'an index of other files beside shards that are complete': () => ({ ...both, [INDEX]: indexOf([shardName(0, 9)]) }),
  'an index that cannot be read beside shards that are complete': () => ({ ...both, [INDEX]: POINTER }),
  'shards without an index': () => both,
  'one file of another name': () => ({ 'consolidated.safetensors': whole() }),
  'another file beside the shards': () => ({ ...both, 'consolidated.safetensors': whole() }),
  'an adapter beside the model': () => ({ 'tiny.safetensors': whole(), 'adapter_model.safetensors': POINTER }),
  'an empty tensor': () => ({
    [WHOLE]: weights(new Map([...tensors, ['model.extra', { shape: [0], bytes: new Uint8Array(0) }]]))
  }),
  'an empty matrix': () => ({
    [WHOLE]: weights(new Map([['model.extra', { shape: [0, 4], bytes: new Uint8Array(0) }], ...tensors]))
  }),
  'a table of positions': () => ({
    [WHOLE]: weights(new Map([...tensors, ['position_ids', { shape: [4], bytes: new Uint8Array(32), dtype: 'I64' }]]))
  }),
  'a mask': () => ({
    [WHOLE]: weights(new Map([...tensors, ['model.mask', { shape: [4], bytes: new Uint8Array(4), dtype: 'BOOL' }]]))
  }),
  'a bias of zeros': () => ({
    [WHOLE]: weights(
      new Map([...tensors, ['model.layers.0.self_attn.q_proj.bias', { shape: [128], bytes: new Uint8Array(256) }]])
    )
  })
}

for (const [what, files] of Object.entries(taken)) {
  t.test(`${what}: the model is read`, async t => {
    using model = openSafetensorsDirectory(folder(t, files()))
    t.equal(model.layers.length, 4)
    t.same(
      model.layers[3]?.get('down')?.[0]?.read(0, 1),
      tensors.get('model.layers.3.mlp.down_proj.weight')?.bytes.slice(0, 704)
    )
  })
}

const refused: readonly {
  readonly what: string
  readonly files: () => Readonly<Record<string, Uint8Array | string>>
  readonly message: RegExp
}[] = [
  {
    what: 'a shard that the index names and is not there',
    files: () => ({ [shardName(0)]: shards[0] ?? '', [INDEX]: indexOf([shardName(0), shardName(1)]) }),
    message: /lacks model-00002-of-00002\.safetensors, which model\.safetensors\.index\.json names/
  },
  {
    what: 'a shard that the numbers promise',
    files: () => ({ [shardName(0)]: shards[0] ?? '' }),
    message: /lacks model-00002-of-00002\.safetensors$/
  },
  {
    what: 'several files of other names',
    files: () => ({ 'a.safetensors': whole(), 'b.safetensors': whole() }),
    message: /several safetensors files \(a\.safetensors, b\.safetensors\)/
  },
  { what: 'a pickle', files: () => ({ 'pytorch_model.bin': 'PK' }), message: /as a pickle only: pytorch_model\.bin/ },
  { what: 'a GGUF file', files: () => ({ 'tiny.gguf': 'GGUF' }), message: /has GGUF files .*: tiny\.gguf/ },
  { what: 'an adapter', files: () => ({ 'adapter_config.json': '{}' }), message: /holds an adapter/ },
  { what: 'weights of TensorFlow', files: () => ({ 'tf_model.h5': 'HDF' }), message: /not read: tf_model\.h5/ },
  { what: 'nothing', files: () => ({}), message: /has no weights/ },
  { what: 'a pointer for weights', files: () => ({ [WHOLE]: POINTER }), message: /model\.safetensors: is a Git LFS/ },
  {
    what: 'a pointer for a shard',
    files: () => ({ ...both, [shardName(1)]: POINTER }),
    message: /00002: is a Git LFS|safetensors: is a Git LFS/
  },
  {
    what: 'a pointer for the configuration',
    files: () => ({ [WHOLE]: whole(), 'config.json': POINTER }),
    message: /config\.json: is a Git LFS/
  },
  { what: 'an empty file', files: () => ({ [WHOLE]: '' }), message: /model\.safetensors: is empty/ },
  {
    what: 'weights that are quantized',
    files: () => {
      const config = JSON.parse(readFileSync(join(TINY_CHAT, 'config.json'), 'utf8'))
      const stored = new Map(tensors).set('model.norm.weight', {
        shape: [128],
        bytes: new Uint8Array(128),
        dtype: 'I8'
      })
      return {
        [WHOLE]: weights(stored),
        'config.json': JSON.stringify({ ...config, quantization_config: { quant_method: 'awq' } })
      }
    },
    message: /is quantized by awq.*"model\.norm\.weight" is stored as I8/
  },
  {
    what: 'a bias that is not zero',
    files: () => ({
      [WHOLE]: weights(
        new Map([...tensors, ['model.layers.0.mlp.up_proj.bias', { shape: [1], bytes: Uint8Array.of(0, 1) }]])
      )
    }),
    message: /up_proj\.bias" has no place/
  }
]

for (const { what, files, message } of refused) {
  t.test(`${what}: the error says what is there`, async t => {
    const directory = folder(t, files())
    t.throws(() => openSafetensorsDirectory(directory), {
      code: 'model_invalid',
      message: new RegExp(`${directory}.*(${message.source})`),
      hint: /./
    })
  })
}

t.test('a mark before the configuration is passed over', async t => {
  const config = readFileSync(join(TINY_CHAT, 'config.json'), 'utf8')
  openSafetensorsDirectory(folder(t, { [WHOLE]: whole(), 'config.json': `\uFEFF${config}` }))[Symbol.dispose]()
  t.pass()
})

t.test('a GGUF file may have an empty tensor and a bias of zeros', async t => {
  const path = join(t.testdir({}), 'tiny.gguf')
  const content = tinyGguf()
  const nothing = floatTensor('nothing', [0], [])
  const more = [floatTensor('blk.0.attn_q.bias', [64], new Float32Array(64)), { ...nothing, name: 'last' }]
  writeFileSync(path, ggufBytes({ ...content, tensors: [nothing, ...content.tensors, ...more] }))
  openGguf(path)[Symbol.dispose]()
  writeFileSync(path, POINTER)
  t.throws(() => openGguf(path), {
    code: 'model_invalid',
    message: /tiny\.gguf: is a Git LFS pointer/,
    hint: /lfs pull/
  })
  writeFileSync(path, Buffer.concat([Buffer.from('GGUF'), Buffer.from([0, 0, 0, 3]), new Uint8Array(64)]))
  t.throws(() => openGguf(path), { message: /big-endian/ })
})

t.test('a listing of the hub is read as a folder is', async t => {
  const choose = (...paths: string[]) =>
    chooseHubFiles(
      'hf:x/y',
      ['config.json', ...paths].map(path => ({ type: 'file', path, size: 1 })),
      undefined
    ).files.map(file => file.path)
  t.strictSame(choose(WHOLE, INDEX, shardName(0)), [WHOLE, 'config.json'])
  t.strictSame(choose(shardName(0), shardName(1), 'consolidated.safetensors', INDEX), [
    shardName(0),
    shardName(1),
    'config.json',
    INDEX
  ])
  t.strictSame(choose(shardName(0), shardName(1)), [shardName(0), shardName(1), 'config.json'])
  t.strictSame(choose('odd.safetensors'), ['odd.safetensors', 'config.json'])
  t.strictSame(choose('pytorch_model.bin', 'tiny.gguf'), ['tiny.gguf'])
  const refusals = {
    [shardName(0)]: /lacks model-00002-of-00002/,
    'pytorch_model.bin': /as a pickle only/,
    'adapter_model.safetensors': /holds an adapter/
  }
  for (const [path, message] of Object.entries(refusals)) {
    t.throws(() => choose(path), { code: 'model_not_found', message, hint: /./ }, path)
  }
})

t.test('a family that is not supported is refused before a weight is read', async t => {
  const directory = folder(t, { [WHOLE]: 'no weights at all' })
  for (const [config, message] of [
    [{ model_type: 'deepseek_v3', architectures: ['DeepseekV3ForCausalLM'] }, /DeepSeek .* is not supported/],
    [{ model_type: 'gemma3', architectures: ['Gemma3ForConditionalGeneration'] }, /text_config/],
    [
      {
        ...JSON.parse(readFileSync(join(TINY_CHAT, 'config.json'), 'utf8')),
        quantization_config: { quant_method: 'fp8' }
      },
      /a checkpoint in fp8/
    ]
  ] as const) {
    writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
    t.throws(() => openSafetensorsDirectory(directory), { code: 'model_invalid', message, hint: /./ })
  }
})
