import { createHash } from 'node:crypto'
import { type ServedFile, servedBytes } from './served-file.ts'

/** Sizes of a Llama, as its `config.json` names them. */
export interface CheckpointShape {
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly num_key_value_heads: number
  readonly head_dim: number
  readonly vocab_size: number
  readonly tie_word_embeddings: boolean
}

interface Tensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly bytes: number
}

/** Of a table of random numbers that tensors read from different places on; prime, so that they do not repeat alike. */
const TABLE_BYTES = 2 * 524_287

/** Numbers of a Llama's size: bf16 with signs and magnitudes below 2^-5, and none that is no number. */
function randomTable(): Uint8Array {
  const table = new Uint8Array(TABLE_BYTES)
  let state = 0x9e3779b9
  for (let at = 0; at < TABLE_BYTES; at += 2) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const exponent = 112 + ((state >>> 8) & 7)
    const bits = ((state >>> 31) << 15) | (exponent << 7) | ((state >>> 16) & 0x7f)
    table[at] = bits & 0xff
    table[at + 1] = bits >>> 8
  }
  return table
}

/**
 * A Llama of random bf16 weights in `shards` safetensors files with an index. The same bytes at every reading, by whatever
 * ranges; nothing of them is kept.
 *
 * @param small files beside the weights: the tokenizer
 */
export function randomCheckpoint(
  shape: CheckpointShape,
  { shards, small }: { readonly shards: number; readonly small: Readonly<Record<string, Uint8Array>> }
): Record<string, ServedFile> {
  const table = randomTable()
  const tensors = tensorsOf(shape)
  const perShard = Math.ceil(tensors.reduce((sum, { bytes }) => sum + bytes, 0) / shards)
  const groups: Tensor[][] = [[]]
  let filled = 0
  for (const tensor of tensors) {
    if (filled >= perShard && groups.length < shards) {
      groups.push([])
      filled = 0
    }
    groups.at(-1)?.push(tensor)
    filled += tensor.bytes
  }
  const digits = (number: number): string => String(number).padStart(5, '0')
  const nameOf = (at: number): string =>
    groups.length === 1 ? 'model.safetensors' : `model-${digits(at + 1)}-of-${digits(groups.length)}.safetensors`
  const weightMap = Object.fromEntries(groups.flatMap((group, at) => group.map(({ name }) => [name, nameOf(at)])))
  const index = groups.length === 1 ? {} : { 'model.safetensors.index.json': jsonFile({ weight_map: weightMap }) }
  return {
    'config.json': jsonFile(configOf(shape)),
    ...index,
    ...Object.fromEntries(Object.entries(small).map(([name, content]) => [name, servedBytes(content)])),
    ...Object.fromEntries(groups.map((group, at) => [nameOf(at), shardFile(nameOf(at), group, table)]))
  }
}

function configOf(shape: CheckpointShape): object {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    ...shape,
    max_position_embeddings: 4096,
    rope_theta: 500_000,
    rms_norm_eps: 1e-5,
    hidden_act: 'silu',
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: 'bfloat16'
  }
}

function tensorsOf(shape: CheckpointShape): Tensor[] {
  const { hidden_size: hidden, intermediate_size: inner, head_dim: head } = shape
  const query = shape.num_attention_heads * head
  const key = shape.num_key_value_heads * head
  const tensor = (name: string, ...dimensions: number[]): Tensor => ({
    name,
    shape: dimensions,
    bytes: 2 * dimensions.reduce((product, size) => product * size, 1)
  })
  const layers = Array.from({ length: shape.num_hidden_layers }, (_, at) => {
    const layer = `model.layers.${at}`
    return [
      tensor(`${layer}.input_layernorm.weight`, hidden),
      tensor(`${layer}.mlp.down_proj.weight`, hidden, inner),
      tensor(`${layer}.mlp.gate_proj.weight`, inner, hidden),
      tensor(`${layer}.mlp.up_proj.weight`, inner, hidden),
      tensor(`${layer}.post_attention_layernorm.weight`, hidden),
      tensor(`${layer}.self_attn.k_proj.weight`, key, hidden),
      tensor(`${layer}.self_attn.o_proj.weight`, hidden, query),
      tensor(`${layer}.self_attn.q_proj.weight`, query, hidden),
      tensor(`${layer}.self_attn.v_proj.weight`, key, hidden)
    ]
  })
  return [
    ...(shape.tie_word_embeddings ? [] : [tensor('lm_head.weight', shape.vocab_size, hidden)]),
    tensor('model.embed_tokens.weight', shape.vocab_size, hidden),
    ...layers.flat(),
    tensor('model.norm.weight', hidden)
  ]
}

function shardFile(name: string, tensors: readonly Tensor[], table: Uint8Array): ServedFile {
  let end = 0
  const placed = tensors.map(tensor => {
    const start = end
    end += tensor.bytes
    return { ...tensor, start }
  })
  const entries = placed.map(({ name, shape, start, bytes }) => [
    name,
    { dtype: 'BF16', shape, data_offsets: [start, start + bytes] }
  ])
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const head = Buffer.concat([new Uint8Array(new BigUint64Array([BigInt(text.byteLength)]).buffer), text])
  const pieces = placed.map(({ name, start, bytes }) => ({
    name,
    from: head.byteLength + start,
    bytes,
    table,
    unit: 2
  }))
  return piecedFile(name, head, pieces)
}

/** Bytes of a file that are those of a table, again and again. */
export interface FilePiece {
  readonly name: string
  readonly from: number
  readonly bytes: number
  readonly table: Uint8Array
  /** Bytes of one number or block: the table begins with a whole one. */
  readonly unit: number
}

/** A file of a head and of pieces behind it; between them are zeros. Each piece reads its table from a place of its own. */
export function piecedFile(name: string, head: Uint8Array, pieces: readonly FilePiece[]): ServedFile {
  const parts = pieces.map(piece => {
    const number = createHash('sha256').update(piece.name).digest().readUInt32LE(0)
    return { ...piece, shift: piece.unit * (number % (piece.table.byteLength / piece.unit)) }
  })
  return {
    bytes: Math.max(head.byteLength, ...pieces.map(({ from, bytes }) => from + bytes)),
    sha256: createHash('sha256').update(name).update(head).digest('hex'),
    read(offset, length) {
      const content = new Uint8Array(length)
      if (offset < head.byteLength) content.set(head.subarray(offset, Math.min(head.byteLength, offset + length)))
      for (const { from, bytes, table, shift } of parts) {
        const start = Math.max(offset, from)
        const stop = Math.min(offset + length, from + bytes)
        if (start < stop) copyCyclic(table, shift + start - from, content.subarray(start - offset, stop - offset))
      }
      return content
    }
  }
}

function copyCyclic(table: Uint8Array, start: number, target: Uint8Array): void {
  for (let at = 0, from = start % table.byteLength; at < target.byteLength; from = 0) {
    const piece = table.subarray(from, from + target.byteLength - at)
    target.set(piece, at)
    at += piece.byteLength
  }
}

function jsonFile(value: object): ServedFile {
  return servedBytes(Buffer.from(JSON.stringify(value)))
}
