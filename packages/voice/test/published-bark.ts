import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NamedTensors, SourceTensor } from '@resultity/formats'

export const fixtures = join(import.meta.dirname, '../../test/fixtures')

/** Made by scripts/reference-bark.py. */
interface Published {
  readonly [model: string]: {
    readonly config: { readonly num_layers: number; readonly num_heads: number; readonly hidden_size: number }
    readonly parameters: number
    /** `*` stands for the number of a layer. */
    readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly count: number }>>
  }
}

export const publishedBarks: Published = JSON.parse(readFileSync(join(fixtures, 'published.json'), 'utf8'))

/** The tensors of a published model, without their numbers: whoever reads one gets zeros. */
export function publishedTensors(name: string): NamedTensors {
  const tensors = new Map<string, SourceTensor>()
  for (const [pattern, { shape, count }] of Object.entries(publishedBarks[name]?.tensors ?? {})) {
    for (let layer = 0; layer < count; layer++) {
      const tensor = pattern.replace('*', String(layer))
      tensors.set(tensor, withoutNumbers(tensor, shape))
    }
  }
  return { names: [...tensors.keys()], get: name => tensors.get(name) }
}

/** The innermost dimension counts as columns, and all others as rows. */
function withoutNumbers(name: string, shape: readonly number[]): SourceTensor {
  const columns = shape.at(-1) ?? 1
  const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1)
  const rowBytes = 4 * columns
  return { name, encoding: 'F32', rows, columns, rowBytes, read: (_, count) => new Uint8Array(count * rowBytes) }
}

/** The `config.json` of a published model. */
export function publishedConfig(name: string): object {
  const sizes = { ...publishedBarks[name]?.config, block_size: 1024, bias: false }
  return {
    model_type: 'bark',
    semantic_config: { ...sizes, input_vocab_size: 129_600, output_vocab_size: 10_048 },
    coarse_acoustics_config: { ...sizes, input_vocab_size: 12_096, output_vocab_size: 12_096 },
    fine_acoustics_config: {
      ...sizes,
      input_vocab_size: 1056,
      output_vocab_size: 1056,
      n_codes_total: 8,
      n_codes_given: 1
    },
    codec_config: { model_type: 'encodec' }
  }
}
