import { encodeGgufHeader, type GgufEntry, type GgufTensorContent, randomGguf, storageUnit } from '@resultity/formats'
import { type CheckpointShape, type FilePiece, piecedFile, type ServedFile } from '@resultity/test-hub'

/** Of what a GGUF aligns its tensors to. */
const ALIGNMENT = 32
/** Of a table that tensors read from different places on; prime, so that they do not repeat alike. */
const TABLE_UNITS = 31_337
const CONTEXT_LENGTH = 4096

/**
 * A Llama of random weights in Q8_0 in so many GGUF files, as llama.cpp splits a model. The same bytes at every reading, by whatever
 * ranges; nothing of them is kept.
 */
export function randomGgufParts(shape: CheckpointShape, count: number): Record<string, ServedFile> {
  const { metadata, tensors } = randomGguf({ shape: llamaShape(shape), seed: 1, encoding: 'Q8_0' })
  const perPart = Math.ceil(tensors.length / count)
  const tables = { Q8_0: randomTable('Q8_0'), F32: randomTable('F32') }
  const digits = (number: number): string => String(number).padStart(5, '0')
  const parts = Array.from({ length: count }, (_, at) => {
    const own = tensors.slice(at * perPart, (at + 1) * perPart)
    const number = (value: number): GgufEntry => ({ type: 'u32', value })
    const split = {
      'split.no': number(at),
      'split.count': number(count),
      'split.tensors.count': number(tensors.length)
    }
    const head = encodeGgufHeader({ metadata: at === 0 ? { ...metadata, ...split } : split, tensors: own })
    const name = `random-${digits(at + 1)}-of-${digits(count)}.gguf`
    return [name, piecedFile(name, head, piecesOf(own, head.byteLength, tables))] as const
  })
  return Object.fromEntries(parts)
}

function llamaShape(shape: CheckpointShape) {
  return {
    layerCount: shape.num_hidden_layers,
    hiddenSize: shape.hidden_size,
    intermediateSize: shape.intermediate_size,
    headCount: shape.num_attention_heads,
    kvHeadCount: shape.num_key_value_heads,
    vocabularySize: shape.vocab_size,
    contextLength: CONTEXT_LENGTH,
    tiedEmbedding: shape.tie_word_embeddings
  }
}

function piecesOf(
  tensors: readonly GgufTensorContent[],
  headBytes: number,
  tables: Record<'Q8_0' | 'F32', Uint8Array>
): FilePiece[] {
  let end = headBytes
  return tensors.map(({ name, encoding, shape }) => {
    const { weights, bytes: unit } = storageUnit(encoding)
    const bytes = (shape.reduce((product, size) => product * size, 1) / weights) * unit
    const from = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    end = from + bytes
    return { name, from, bytes, unit, table: encoding === 'F32' ? tables.F32 : tables.Q8_0 }
  })
}

/** Blocks with scales below 2^-8, or numbers from 0.5 to 1.5. */
function randomTable(encoding: 'Q8_0' | 'F32'): Uint8Array {
  const { bytes: unit } = storageUnit(encoding)
  const table = new Uint8Array(TABLE_UNITS * unit)
  const view = new DataView(table.buffer)
  let state = 0x9e37_79b9
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 8
  }
  for (let at = 0; at < table.byteLength; at += 1) table[at] = next()
  for (let at = 0; at < table.byteLength; at += unit) {
    if (encoding === 'F32') view.setFloat32(at, 0.5 + next() / 2 ** 24, true)
    else view.setFloat16(at, (next() / 2 ** 24) * 2 ** -8, true)
  }
  return table
}
