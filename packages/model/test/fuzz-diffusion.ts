import { readFileSync } from 'node:fs'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  buildDenoiserGraph,
  buildPictureDecoderGraph,
  buildPictureEncoderGraph,
  buildTextEncoderGraph,
  diffusionMemory,
  diffusionWork,
  openDiffusersFolder
} from '@resultity/diffusion-model'
import { isDiffusion, parseModelManifest } from '@resultity/interface'
import { damagedBytes, damagedJson } from './fuzz-inputs.ts'
import { drain, type FuzzTarget, refuse } from './fuzz-target.ts'

const folder = join(import.meta.dirname, '../../../diffusion-model/test/fixtures/tiny-xl')
const WEIGHTS = 'vae/diffusion_pytorch_model.fp16.safetensors'

const json = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))

/** A folder of diffusers as it is, but for one file. */
function folderTarget(name: string, file: string, input: FuzzTarget['input']): FuzzTarget {
  return {
    name,
    runs: 40,
    input,
    read: async (changed, directory) => {
      await cp(folder, directory, { recursive: true })
      await writeFile(join(directory, file), changed)
      await refuse(['model_invalid'], () => {
        using source = openDiffusersFolder(directory)
        drain(source.files, 1_200_000)
      })
    }
  }
}

/** As conversion makes it of a tiny model. */
function sampleManifest(): unknown {
  using source = openDiffusersFolder(folder)
  const sha256 = 'a'.repeat(64)
  const { config, parts } = source
  const layers = source.files.map(({ layout }) => ({ sha256, ...layout }))
  const tokenizers = config.textEncoders.map(() => ({ vocabulary: { sha256, bytes: 1 }, merges: { sha256, bytes: 1 } }))
  return { version: 1, name: 'sample', architecture: 'diffusion', config, tokenizers, parts, layers }
}

/** A folder of diffusers with one file damaged, and its manifest with what is done with it before any memory is taken. */
export const diffusionTargets: readonly FuzzTarget[] = [
  ...['model_index', 'unet/config', 'vae/config', 'text_encoder_2/config', 'scheduler/scheduler_config'].map(path =>
    folderTarget(`diffusers-${path.replace('/', '-')}`, `${path}.json`, damagedJson(json(`${path}.json`)))
  ),
  folderTarget('diffusers-vocabulary', 'tokenizer/vocab.json', damagedJson(json('tokenizer/vocab.json'))),
  folderTarget('diffusers-weights', WEIGHTS, damagedBytes([readFileSync(join(folder, WEIGHTS))], 20_000)),
  {
    name: 'diffusion-manifest',
    runs: 200,
    input: damagedJson(sampleManifest()),
    read: async input => {
      await refuse(['model_invalid'], () => {
        const manifest = parseModelManifest('sample', input)
        if (!isDiffusion(manifest)) return
        for (const number of [...Object.values(diffusionMemory(manifest)), diffusionWork(manifest)]) {
          if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${number} is no size`)
        }
        const init = { manifest, weightLocation: (): string => 'weights' }
        for (const index of manifest.config.textEncoders.keys()) buildTextEncoderGraph(init, index)
        buildDenoiserGraph(init)
        buildPictureDecoderGraph(init)
        buildPictureEncoderGraph(init)
      })
    }
  }
]
