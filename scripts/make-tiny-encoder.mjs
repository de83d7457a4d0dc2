// Makes packages/model/test/fixtures/tiny-encoder: a BERT sentence encoder of some 35,000 random parameters in the layout
// of sentence-transformers, for tests that need no meaning in the vectors. The same bytes at every run.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../packages/model/test/fixtures/tiny-encoder', import.meta.url))

const shape = { hidden: 32, intermediate: 64, layers: 2, heads: 4, positions: 48, types: 2 }
const INPUT_TOKENS_MAX = 40
/** Far from every common configuration, so that a forgotten setting shows. */
const EPSILON = 1e-6

const letters = Array.from('abcdefghijklmnopqrstuvwxyz0123456789')
const words =
  'the and of to a in is that it was for on are with as his they be at one have this from by hot word but what some we can out other were all there when up use your how said an each she which do their time if will way about many then them write would like so these her long make thing see him two has look more day could go come did number sound no most people my over know water than call first who may down side been now find'
const endings = 'ing ed er est ly s es tion ness ment able ful less un re al en or th'
const vocabulary = [
  ...['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'],
  ...Array.from('!"#$%&\'()*+,-./:;<=>?@[]^_{|}~'),
  ...letters,
  ...letters.map(letter => `##${letter}`),
  ...words.split(' ').filter(word => word.length > 1),
  ...endings
    .split(' ')
    .filter(ending => ending.length > 1)
    .map(ending => `##${ending}`),
  ...Array.from('αβγδσ京東漢字')
]
const ids = Object.fromEntries([...new Set(vocabulary)].map((token, id) => [token, id]))

/** Standard normal values from mulberry32 by Box and Muller: nothing in them depends on the machine. */
let state = 0x5eed
function uniform() {
  state = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}
const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
// rounded to a few bits, so that the last digits of a mathematical function do not matter
const values = (count, scale, offset = 0) =>
  Float32Array.from({ length: count }, () => offset + Math.round(normal() * scale * 4096) / 4096)

const { hidden, intermediate } = shape
const tensors = new Map()
const matrix = (name, rows, columns, scale = 1 / Math.sqrt(columns)) =>
  tensors.set(name, { shape: [rows, columns], data: values(rows * columns, scale) })
const vector = (name, size, scale, offset) => tensors.set(name, { shape: [size], data: values(size, scale, offset) })
const dense = (name, rows, columns) => {
  matrix(`${name}.weight`, rows, columns)
  vector(`${name}.bias`, rows, 0.1)
}
const norm = name => {
  vector(`${name}.weight`, hidden, 0.1, 1)
  vector(`${name}.bias`, hidden, 0.1)
}
matrix('embeddings.word_embeddings.weight', Object.keys(ids).length, hidden, 1)
matrix('embeddings.position_embeddings.weight', shape.positions, hidden, 0.3)
matrix('embeddings.token_type_embeddings.weight', shape.types, hidden, 0.3)
norm('embeddings.LayerNorm')
for (let layer = 0; layer < shape.layers; layer++) {
  const at = `encoder.layer.${layer}`
  for (const name of ['query', 'key', 'value']) dense(`${at}.attention.self.${name}`, hidden, hidden)
  dense(`${at}.attention.output.dense`, hidden, hidden)
  norm(`${at}.attention.output.LayerNorm`)
  dense(`${at}.intermediate.dense`, intermediate, hidden)
  dense(`${at}.output.dense`, hidden, intermediate)
  norm(`${at}.output.LayerNorm`)
}
dense('pooler.dense', hidden, hidden)

function safetensors() {
  // as published checkpoints have it: an index that is no weight
  const positionIds = new BigInt64Array(shape.positions).map((_, position) => BigInt(position))
  const parts = [['embeddings.position_ids', 'I64', [1, shape.positions], positionIds]]
  for (const [name, { shape: dims, data }] of tensors) parts.push([name, 'F32', dims, data])
  const header = { __metadata__: { format: 'pt' } }
  let end = 0
  for (const [name, dtype, dims, data] of parts) {
    header[name] = { dtype, shape: dims, data_offsets: [end, end + data.byteLength] }
    end += data.byteLength
  }
  const text = JSON.stringify(header)
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  return Buffer.concat([length, padded, ...parts.map(([, , , data]) => Buffer.from(data.buffer))])
}

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
const frame = token => ({ SpecialToken: { id: token, type_id: 0 } })
const files = {
  'config.json': {
    architectures: ['BertModel'],
    hidden_act: 'gelu',
    hidden_size: hidden,
    intermediate_size: intermediate,
    layer_norm_eps: EPSILON,
    max_position_embeddings: shape.positions,
    model_type: 'bert',
    num_attention_heads: shape.heads,
    num_hidden_layers: shape.layers,
    pad_token_id: 0,
    position_embedding_type: 'absolute',
    type_vocab_size: shape.types,
    vocab_size: Object.keys(ids).length
  },
  'modules.json': [
    { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
    { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
    { idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.models.Normalize' }
  ],
  'sentence_bert_config.json': { max_seq_length: INPUT_TOKENS_MAX, do_lower_case: false },
  '1_Pooling/config.json': {
    word_embedding_dimension: hidden,
    pooling_mode_cls_token: false,
    pooling_mode_mean_tokens: true,
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false
  },
  'special_tokens_map.json': {
    unk_token: '[UNK]',
    sep_token: '[SEP]',
    pad_token: '[PAD]',
    cls_token: '[CLS]',
    mask_token: '[MASK]'
  },
  'tokenizer_config.json': { do_lower_case: true, model_max_length: shape.positions, tokenizer_class: 'BertTokenizer' },
  'tokenizer.json': {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map(content => ({
      id: ids[content],
      special: true,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [frame('[CLS]'), { Sequence: { id: 'A', type_id: 0 } }, frame('[SEP]')],
      pair: [
        frame('[CLS]'),
        { Sequence: { id: 'A', type_id: 0 } },
        frame('[SEP]'),
        { Sequence: { id: 'B', type_id: 1 } },
        { SpecialToken: { id: '[SEP]', type_id: 1 } }
      ],
      special_tokens: Object.fromEntries(
        ['[CLS]', '[SEP]'].map(token => [token, { id: token, ids: [ids[token]], tokens: [token] }])
      )
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: ids
    }
  }
}

mkdirSync(join(folder, '1_Pooling'), { recursive: true })
for (const [name, content] of Object.entries(files)) {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), `${JSON.stringify(content, undefined, 1)}\n`)
}
writeFileSync(join(folder, 'model.safetensors'), safetensors())
