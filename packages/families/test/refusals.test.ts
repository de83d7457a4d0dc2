import t from 'tap'
import { describeGgufModel, describeHubModel } from '../src/index.ts'

const fromHub = (config: object) => describeHubModel('config.json', JSON.stringify(config))
const fromGguf = (architecture: string) =>
  describeGgufModel({
    file: 'm.gguf',
    metadata: new Map([['general.architecture', architecture]]),
    tensors: new Map(),
    vector: () => undefined
  })

const refused = [
  {
    name: 'Qwen 3 Next',
    config: { model_type: 'qwen3_next', architectures: ['Qwen3NextForCausalLM'] },
    gguf: 'qwen3next',
    hint: /keep a state.*Qwen 3 30B-A3B/
  },
  {
    name: 'GPT-OSS',
    config: { model_type: 'gpt_oss', quantization_config: { quant_method: 'mxfp4' } },
    gguf: 'gpt-oss',
    hint: /experts.*attention sinks.*MXFP4/
  },
  {
    name: 'Ministral 3',
    config: {
      model_type: 'mistral3',
      architectures: ['Mistral3ForConditionalGeneration'],
      text_config: { model_type: 'ministral3' }
    },
    gguf: 'mistral3',
    hint: /scaled by their position.*Mistral Small 3\.1/
  },
  { name: 'Llama 4', config: { model_type: 'llama4' }, gguf: 'llama4', hint: /Llama 3\.3/ },
  { name: 'Gemma 3n', config: { model_type: 'gemma3n' }, gguf: 'gemma3n', hint: /Gemma 3\./ },
  { name: 'DeepSeek', config: { model_type: 'deepseek_v3' }, gguf: 'deepseek2', hint: /latent attention/ },
  { name: 'Qwen with images', config: { model_type: 'qwen2_5_vl' }, gguf: 'qwen2vl', hint: /layers for images/ }
]
for (const { name, config, gguf, hint } of refused) {
  t.test(`${name} is refused by name, with what is missing and what to take`, async t => {
    const message = new RegExp(`: ${name} \\(the architecture "[^"]+"\\) is not supported`)
    const advice = new RegExp(`${hint.source}.*supported are Llama, .*docs/families\\.md`)
    const expected = { code: 'model_invalid', message, hint: advice }
    t.throws(() => fromHub(config), expected)
    if (gguf !== undefined) t.throws(() => fromGguf(gguf), expected)
  })
}

t.test('the text of a model with images is of the family that it is taken for', async t => {
  const text = {
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 4,
    vocab_size: 96
  }
  const withText = (model_type?: string | null) => ({ model_type: 'mistral3', text_config: { ...text, model_type } })
  for (const type of ['llama', 'gemma3_text', 'constructor', '']) {
    const message = new RegExp(`the architecture "${type}" is not supported`)
    t.throws(() => fromHub(withText(type)), { code: 'model_invalid', message, hint: /supported are/ })
  }
  for (const type of ['mistral', null, undefined]) t.match(fromHub(withText(type)), { config: { headDim: 16 } })
})

t.test('a window in a Qwen 2 with experts is refused, as it is not known in which layers', async t => {
  const sizes = {
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    vocab_size: 96
  }
  const config = { model_type: 'qwen2_moe', architectures: ['Qwen2MoeForCausalLM'], ...sizes }
  t.match(fromHub(config), { config: { traits: { experts: { count: 60, used: 4, sharedSize: 5632 } } } })
  t.throws(() => fromHub({ ...config, use_sliding_window: true }), {
    code: 'model_invalid',
    message: /a window in a Qwen 2 with experts is not supported/
  })
})

t.test('the file for images beside a GGUF is not the model', async t => {
  t.throws(() => fromGguf('clip'), { code: 'model_invalid', hint: /the GGUF file beside it/ })
})

t.test('a checkpoint in fp8 is refused, whoever made it', async t => {
  const llama = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    vocab_size: 96
  }
  for (const quantization of [
    { quant_method: 'fp8' },
    { quant_method: 'fbgemm_fp8' },
    { quant_method: 'compressed-tensors', format: 'float-quantized' }
  ]) {
    t.throws(() => fromHub({ ...llama, quantization_config: quantization }), {
      code: 'model_invalid',
      message: /a checkpoint in fp8 \(".*" in quantization_config\) is not supported/,
      hint: /BF16, or a GGUF version/
    })
  }
  t.doesNotThrow(() => fromHub({ ...llama, quantization_config: null }))
  t.doesNotThrow(
    () => fromHub({ ...llama, quantization_config: { quant_method: 'bitsandbytes' } }),
    'others by what tensors they have'
  )
})
