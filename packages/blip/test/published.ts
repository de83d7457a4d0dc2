import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NamedTensors, SourceTensor } from '@resultity/formats'

export const fixtures = join(import.meta.dirname, '../../test/fixtures')

/** Made by scripts/reference-blip.py: a `config.json`, and of each tensor how many layers have it and its shape. */
export interface Published {
  readonly models: Readonly<
    Record<
      string,
      {
        readonly config: unknown
        readonly tensors: Readonly<Record<string, readonly [layers: number, shape: readonly number[]]>>
      }
    >
  >
}

export const published: Published = JSON.parse(readFileSync(join(fixtures, 'published.json'), 'utf8'))

/** The tensors of a published model, without their numbers: whoever reads one gets zeros. */
export function publishedTensors(name: string, { models } = published): NamedTensors {
  const tensors = new Map<string, SourceTensor>()
  for (const [pattern, [layers, shape]] of Object.entries(models[name]?.tensors ?? {})) {
    for (let layer = 0; layer < layers; layer++) {
      const tensor = pattern.replace('#', String(layer))
      tensors.set(tensor, withoutNumbers(tensor, shape))
    }
  }
  return { names: tensors.keys(), get: name => tensors.get(name) }
}

/** The innermost dimension counts as columns, and all others as rows. */
function withoutNumbers(name: string, shape: readonly number[]): SourceTensor {
  const columns = shape.at(-1) ?? 1
  const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1)
  const rowBytes = 4 * columns
  return { name, encoding: 'F32', rows, columns, rowBytes, read: (_, count) => new Uint8Array(count * rowBytes) }
}
