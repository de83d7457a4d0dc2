import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildCaptionTextGraph, buildSightGraph, captionMemory, openBlip, planBlipFiles } from '@resultity/blip'
import type { WeightFilePlan } from '@resultity/formats'
import { isCaptioner, parseModelManifest } from '@resultity/interface'
import { damagedBytes, damagedJson } from './fuzz-inputs.ts'
import { drain, type FuzzTarget, refuse } from './fuzz-target.ts'

const folder = join(import.meta.dirname, '../../../blip/test/fixtures/tiny-answerer')
const WEIGHTS = 'model.safetensors'
const files = ['config.json', 'preprocessor_config.json', WEIGHTS].map(name => {
  return { name, bytes: readFileSync(join(folder, name)) }
})

const json = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))

/** Files of a BLIP's folder as they are, but one. */
function folderTarget(name: string, file: string, input: FuzzTarget['input']): FuzzTarget {
  return {
    name,
    runs: 60,
    input,
    read: async (changed, directory) => {
      for (const each of files) await writeFile(join(directory, each.name), each.name === file ? changed : each.bytes)
      await refuse(['model_invalid'], () => {
        using source = openBlip(directory)
        drain(planBlipFiles(source), 600_000)
      })
    }
  }
}

/** As conversion makes it of a tiny model. */
function sampleManifest(): unknown {
  using source = openBlip(folder)
  const sha256 = 'a'.repeat(64)
  const named = ({ layout }: WeightFilePlan): object => ({ sha256, ...layout })
  const [embedding, ...layers] = planBlipFiles(source).map(named)
  const tokenizer = { definition: { sha256, bytes: 10 }, config: { sha256, bytes: 10 }, endTokenIds: [] }
  return { version: 1, name: 'sample', architecture: 'blip', config: source.config, tokenizer, embedding, layers }
}

/** A BLIP's folder with one file damaged, and its manifest with what is done with it before any memory is taken. */
export const blipTargets: readonly FuzzTarget[] = [
  folderTarget('blip-config', 'config.json', damagedJson(json('config.json'))),
  folderTarget('blip-processor', 'preprocessor_config.json', damagedJson(json('preprocessor_config.json'))),
  folderTarget('blip-weights', WEIGHTS, damagedBytes([readFileSync(join(folder, WEIGHTS))], 4000)),
  {
    name: 'caption-manifest',
    runs: 200,
    input: damagedJson(sampleManifest()),
    read: async input => {
      await refuse(['model_invalid'], () => {
        const manifest = parseModelManifest('sample', input)
        if (!isCaptioner(manifest)) return
        for (const bytes of Object.values(captionMemory({ manifest, picturesMax: 16 }))) {
          if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`${bytes} bytes`)
        }
        const weightLocation = (): string => 'weights'
        buildSightGraph({ manifest, weightLocation })
        buildCaptionTextGraph({ manifest, weightLocation })
      })
    }
  }
]
