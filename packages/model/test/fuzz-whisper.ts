import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { WeightFilePlan } from '@resultity/formats'
import { isSpeech, parseModelManifest } from '@resultity/interface'
import {
  buildAudioGraph,
  buildTextGraph,
  openCt2Whisper,
  openHubWhisper,
  planWhisperFiles,
  speechMemory
} from '@resultity/whisper'
import { damagedBytes, damagedJson } from './fuzz-inputs.ts'
import { drain, type FuzzTarget, refuse } from './fuzz-target.ts'

const fixtures = join(import.meta.dirname, '../../../whisper/test/fixtures')
const HUB = join(fixtures, 'tiny-whisper')
const CT2 = join(fixtures, 'tiny-whisper-ct2')

const json = (folder: string, name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))

/** Files of a Whisper's folder as they are, but one. */
function folderTarget(name: string, folder: string, file: string, input: FuzzTarget['input']): FuzzTarget {
  const weights = folder === HUB ? ['generation_config.json', 'model.safetensors'] : ['model.bin']
  const others = ['config.json', 'tokenizer.json', ...weights].map(each => {
    return { each, bytes: readFileSync(join(folder, each)) }
  })
  return {
    name,
    runs: 60,
    input,
    read: async (changed, directory) => {
      for (const { each, bytes } of others) await writeFile(join(directory, each), each === file ? changed : bytes)
      await refuse(['model_invalid'], () => {
        using source = folder === HUB ? openHubWhisper(directory) : openCt2Whisper(directory)
        drain(planWhisperFiles(source), 400_000)
      })
    }
  }
}

/** A Whisper's folder, with one file damaged. */
export const whisperTargets: readonly FuzzTarget[] = [
  folderTarget('whisper-config', HUB, 'config.json', damagedJson(json(HUB, 'config.json'))),
  folderTarget('whisper-generation', HUB, 'generation_config.json', damagedJson(json(HUB, 'generation_config.json'))),
  folderTarget('whisper-tokenizer', HUB, 'tokenizer.json', damagedJson(json(HUB, 'tokenizer.json'))),
  folderTarget('ct2', CT2, 'model.bin', damagedBytes([readFileSync(join(CT2, 'model.bin'))], 4000)),
  folderTarget('ct2-config', CT2, 'config.json', damagedJson(json(CT2, 'config.json')))
]

/** As conversion makes it of a tiny model. */
function sampleManifest(): unknown {
  using source = openHubWhisper(HUB)
  const sha256 = 'a'.repeat(64)
  const named = ({ layout }: WeightFilePlan): object => ({ sha256, ...layout })
  const [embedding, ...layers] = planWhisperFiles(source).map(named)
  const tokenizer = { definition: { sha256, bytes: 10 }, config: { sha256, bytes: 10 }, endTokenIds: [2] }
  return { version: 1, name: 'sample', architecture: 'whisper', config: source.config, tokenizer, embedding, layers }
}

/** A manifest of a Whisper, with what is done with it before any memory is taken. */
export const speechManifestTarget: FuzzTarget = {
  name: 'speech-manifest',
  runs: 200,
  input: damagedJson(sampleManifest()),
  read: async input => {
    await refuse(['model_invalid'], () => {
      const manifest = parseModelManifest('sample', input)
      if (!isSpeech(manifest)) return
      const memory = speechMemory({ manifest, windowsMax: 16, sessionsPerWindow: 1 })
      for (const bytes of Object.values(memory)) {
        if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`${bytes} bytes`)
      }
      const weightLocation = (): string => 'weights'
      buildAudioGraph({ manifest, weightLocation })
      buildTextGraph({ manifest, weightLocation })
    })
  }
}
