import { readFileSync } from 'node:fs'
import { describeGgufModel, describeHubModel, ropeFrequencyDivisors } from '@resultity/families'
import { type GgufEntry, memorySource, parseGgufHeader } from '@resultity/formats'
import t from 'tap'
import { ggufBytes, TINY_CHAT, TINY_SHAPE, tinyGguf, withMetadata } from './tiny-models.ts'

const tinyChat = JSON.parse(readFileSync(`${TINY_CHAT}/config.json`, 'utf8'))
const fromJson = (changes: object) =>
  describeHubModel('config.json', JSON.stringify({ ...tinyChat, ...changes })).config

/** As Llama 3.2 has it. */
const llama3 = {
  rope_type: 'llama3',
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192
}
const scaling = {
  type: 'llama3',
  factor: 32,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalContextLength: 8192
} as const

t.test('a Hugging Face configuration', async t => {
  t.match(fromJson({}), { layerCount: 4, hiddenSize: 128, headDim: 16, kvHeadCount: 4, tiedEmbedding: true })
  t.match(
    fromJson({ head_dim: undefined, num_key_value_heads: undefined }),
    { headDim: 16, kvHeadCount: 8 },
    'defaults'
  )
  t.match(fromJson({ tie_word_embeddings: undefined }), { tiedEmbedding: false })
  t.match(fromJson({ rope_scaling: llama3 }), { ropeScaling: scaling })
  t.match(fromJson({ rope_scaling: { type: 'linear', factor: 2 } }), { ropeScaling: { type: 'linear', factor: 2 } })
  const transformers5 = { rope_theta: undefined, rope_parameters: { rope_type: 'default', rope_theta: 500_000 } }
  t.match(fromJson(transformers5), { ropeTheta: 500_000, ropeScaling: { type: 'none' } })
  const nothing = {
    architectures: null,
    max_position_embeddings: null,
    rms_norm_eps: null,
    rope_theta: null,
    rope_scaling: { rope_type: null, type: null, factor: null },
    hidden_act: null,
    attention_bias: null,
    tie_word_embeddings: null
  }
  t.match(fromJson(nothing), {
    contextLength: 2048,
    ropeTheta: 10_000,
    ropeScaling: { type: 'none' },
    tiedEmbedding: false
  })
})

t.test('Mistral has a window where that is shorter than its context', async t => {
  const mistral = { model_type: 'mistral', architectures: ['MistralForCausalLM'], max_position_embeddings: 32_768 }
  t.match(fromJson({ ...mistral, sliding_window: null }), { contextLength: 32_768, headDim: 16, traits: undefined })
  const windows = new Array(4).fill({ window: 512 })
  t.match(fromJson({ ...mistral, sliding_window: 512 }), { contextLength: 32_768, traits: { layers: windows } })
  t.match(
    fromJson(mistral),
    { traits: { layers: { 3: { window: 4096 } } } },
    'the window of a configuration that names none'
  )
  t.match(fromJson({ ...mistral, sliding_window: 32_768 }), { traits: undefined }, 'a window as long as the context')
  t.match(fromJson({ sliding_window: 64 }), { contextLength: 512, traits: undefined }, 'a Llama has none')
})

t.test('heads are of a size that the runtime rotates', async t => {
  for (const size of [16, 48, 64, 80, 96, 112, 128, 256]) t.match(fromJson({ head_dim: size }), { headDim: size })
  const refused = { code: 'model_invalid', hint: /./ }
  for (const size of [2, 8, 24, 100, 120]) {
    const message = new RegExp(`heads of ${size} dimensions are not supported, .* multiple of 16, as 64 and 128 are`)
    t.throws(() => fromJson({ head_dim: size }), { ...refused, message })
  }
  const keys = ['llama.attention.key_length', 'llama.attention.value_length', 'llama.rope.dimension_count']
  const change = Object.fromEntries(keys.map(key => [key, u32(100)]))
  t.throws(() => fromGguf(change), { ...refused, message: /m\.gguf: .*heads of 100 dimensions/ })
})

const refusedJson = [
  { id: 'another architecture', change: { model_type: 'falcon' }, message: /architecture "falcon" is not supported/ },
  { id: 'another head', change: { architectures: ['LlamaForSequenceClassification'] }, message: /"LlamaForSequenceC/ },
  { id: 'attention biases', change: { attention_bias: true }, message: /bias in the attention/ },
  { id: 'MLP biases', change: { mlp_bias: true }, message: /bias in the MLP/ },
  { id: 'another activation', change: { hidden_act: 'gelu' }, message: /activation "gelu"/ },
  {
    id: 'another rotary scaling',
    change: { rope_scaling: { rope_type: 'dynamic', factor: 4 } },
    message: /scaling "dynamic"/
  },
  { id: 'a scaling without its factor', change: { rope_scaling: { type: 'linear' } }, message: /ropeScaling.factor/ },
  { id: 'heads that do not group', change: { num_key_value_heads: 3 }, message: /8 heads cannot share 3/ },
  { id: 'an odd head', change: { head_dim: 15 }, message: /"headDim" is 15: heads of 15 dimensions/ },
  {
    id: 'a model type that is a word of the language',
    change: { model_type: 'constructor' },
    message: /"constructor"/
  },
  { id: 'a fractional head', change: { head_dim: undefined, hidden_size: 130 }, message: /headDim/ },
  { id: 'no layers', change: { num_hidden_layers: 0 }, message: /layerCount/ },
  { id: 'too many layers', change: { num_hidden_layers: 1e6 }, message: /layerCount/ },
  { id: 'text for a number', change: { hidden_size: 'large' }, message: /hidden_size/ }
]
for (const { id, change, message } of refusedJson) {
  t.test(`refuses ${id}`, async t => {
    t.throws(() => fromJson(change), { code: 'model_invalid', message, hint: /./ })
  })
}

t.test('refuses a configuration that is not JSON', async t => {
  t.throws(() => describeHubModel('c.json', '{'), { code: 'model_invalid', message: /c\.json: not JSON/ })
  t.throws(() => describeHubModel('c.json', '[]'), { code: 'model_invalid' })
})

function fromGguf(metadata: Record<string, GgufEntry | undefined>, divisors?: Float32Array) {
  const header = parseGgufHeader(memorySource('m.gguf', ggufBytes(withMetadata(tinyGguf(), metadata))))
  return describeGgufModel({ file: 'm.gguf', ...header, vector: () => divisors }).config
}
const u32 = (value: number): GgufEntry => ({ type: 'u32', value })
const text = (value: string): GgufEntry => ({ type: 'string', value })

t.test('a GGUF configuration', async t => {
  const { layerCount, hiddenSize, kvHeadCount, vocabularySize } = TINY_SHAPE
  t.match(fromGguf({}), { layerCount, hiddenSize, kvHeadCount, vocabularySize, headDim: 16, tiedEmbedding: false })
  t.match(fromGguf({ 'llama.attention.head_count_kv': undefined }), { kvHeadCount: 4 })
  const linear = {
    'llama.rope.scaling.type': text('linear'),
    'llama.rope.scaling.factor': { type: 'f32', value: 4 }
  } as const
  t.match(fromGguf(linear), { ropeScaling: { type: 'linear', factor: 4 } })
  t.match(fromGguf({ 'llama.rope.scaling.type': text('') }), { ropeScaling: { type: 'none' } })
  t.match(
    fromGguf({ 'llama.attention.head_count_kv': { type: 'i32', value: [2, 2] } }),
    { kvHeadCount: 2 },
    'per layer'
  )
})

t.test('Llama 3 scaling is recognised by its stored divisors', async t => {
  const base = fromGguf({ 'llama.rope.freq_base': { type: 'f32', value: 500_000 } })
  const divisors = Float32Array.from(
    ropeFrequencyDivisors({ theta: base.ropeTheta, scaling, rotaryDim: base.headDim, contextLength: 8192 })
  )
  const scaled = fromGguf({ 'llama.rope.freq_base': { type: 'f32', value: 500_000 } }, divisors)
  t.same(scaled.ropeScaling, scaling)
  divisors[3] = 7
  t.throws(() => fromGguf({}, divisors), { code: 'model_invalid', message: /rope_freqs\.weight/ })
  t.throws(() => fromGguf({}, divisors.slice(1)), { code: 'model_invalid' })
})

const refusedGguf = [
  { id: 'another architecture', change: { 'general.architecture': text('falcon') }, message: /architecture "falcon"/ },
  { id: 'experts', change: { 'llama.expert_count': u32(8) }, message: /mixture of 8 experts/ },
  { id: 'a missing size', change: { 'llama.block_count': undefined }, message: /"llama\.block_count" is missing/ },
  {
    id: 'text for a size',
    change: { 'llama.block_count': text('two') },
    message: /"llama\.block_count" is not a number/
  },
  { id: 'a partly rotated head', change: { 'llama.rope.dimension_count': u32(8) }, message: /dimension_count of 8/ },
  {
    id: 'layers of several kinds',
    change: { 'llama.attention.head_count_kv': { type: 'i32', value: [2, 4] } as const },
    message: /another llama\.attention\.head_count_kv in each layer/
  },
  { id: 'another rotary scaling', change: { 'llama.rope.scaling.type': text('dynamic') }, message: /scaling "dynamic"/ }
]
for (const { id, change, message } of refusedGguf) {
  t.test(`refuses a GGUF with ${id}`, async t => {
    t.throws(() => fromGguf(change), { code: 'model_invalid', message })
  })
}

t.test('frequencies between long and short wavelengths are divided smoothly', async t => {
  const use = { rotaryDim: 64, theta: 500_000, contextLength: 8192 }
  const divisors = ropeFrequencyDivisors({ ...use, scaling })
  // of transformers 4.45.2, ROPE_INIT_FUNCTIONS['llama3'] with these parameters
  const expected = [...new Array(15).fill(1), 1.65133, 3.29226, 9.66673, ...new Array(14).fill(32)]
  t.same(
    [...divisors].map(value => Number(value.toPrecision(6))),
    expected
  )
  const plain = ropeFrequencyDivisors({ ...use, scaling: { type: 'linear', factor: 3 } })
  t.ok(plain.every(value => value === 3))
})
