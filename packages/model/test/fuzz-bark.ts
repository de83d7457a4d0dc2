import { mkdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import {
  memorySource,
  openTorchCheckpoint,
  readNumpyArray,
  readZipDirectory,
  readZipEntry,
  type WeightFilePlan
} from '@resultity/formats'
import { isBark, parseModelManifest } from '@resultity/interface'
import {
  barkMemory,
  buildBarkCodecGraph,
  buildBarkFineGraph,
  buildBarkWrittenGraph,
  openBark,
  planBarkFiles
} from '@resultity/voice'
import { damagedBytes, damagedJson } from './fuzz-inputs.ts'
import { drain, type FuzzTarget, refuse } from './fuzz-target.ts'

const folder = join(import.meta.dirname, '../../../voice/test/fixtures/tiny-bark')
const WEIGHTS = 'pytorch_model.bin'
const VOICE = 'speaker_embeddings/v2/de_speaker_1'
const names = [
  'config.json',
  'generation_config.json',
  WEIGHTS,
  ...['semantic', 'coarse', 'fine'].map(kind => `${VOICE}_${kind}_prompt.npy`)
]
const files = names.map(name => ({ name, bytes: readFileSync(join(folder, name)) }))
const json = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))
const weights = new Uint8Array(readFileSync(join(folder, WEIGHTS)))

const array = new Uint8Array(readFileSync(join(folder, `${VOICE}_fine_prompt.npy`)))
const archive = memorySource(WEIGHTS, weights)
const entry = [...readZipDirectory(archive).values()].find(({ name }) => name.endsWith('/data.pkl'))
if (entry === undefined) throw new Error('the checkpoint has no pickle')
/** What says what the tensors of the checkpoint are. */
const pickle = readZipEntry(archive, entry, 1e6)

/** The checkpoint with another pickle as long as its own, and the checksum of that. */
function withPickle(changed: Uint8Array): Buffer {
  const content = Buffer.from(pickle)
  content.set(changed.subarray(0, content.length))
  const file = Buffer.from(weights)
  content.copy(file, file.indexOf(pickle))
  // in the directory, the name stands 30 bytes behind it
  file.writeUInt32LE(crc32(content), file.lastIndexOf(entry?.name ?? '') - 30)
  return file
}

/** Files of a Bark's folder as they are, but one. */
function folderTarget(name: string, file: string, input: FuzzTarget['input']): FuzzTarget {
  return {
    name,
    runs: 40,
    input,
    read: async (changed, directory) => {
      for (const each of files) {
        const path = join(directory, each.name)
        mkdirSync(dirname(path), { recursive: true })
        await writeFile(path, each.name === file ? changed : each.bytes)
      }
      await refuse(['model_invalid'], () => {
        using source = openBark(directory)
        const { layers, prompts } = planBarkFiles(source)
        drain(prompts === undefined ? layers : [...layers, prompts], 2_000_000)
      })
    }
  }
}

/** As conversion makes it of the tiny model. */
function sampleManifest(): unknown {
  using source = openBark(folder)
  const sha256 = 'a'.repeat(64)
  const named = ({ layout }: WeightFilePlan): object => ({ sha256, ...layout })
  const { layers, prompts } = planBarkFiles(source)
  const tokenizer = { definition: { sha256, bytes: 10 }, config: { sha256, bytes: 10 }, endTokenIds: [] }
  const rest = { layers: layers.map(named), ...(prompts && { prompts: named(prompts) }) }
  return { version: 1, name: 'sample', architecture: 'bark', config: source.config, tokenizer, ...rest }
}

/** A Bark's folder with one file damaged; checkpoints and arrays by themselves; and a manifest before any memory is taken. */
export const barkTargets: readonly FuzzTarget[] = [
  folderTarget('bark-config', 'config.json', damagedJson(json('config.json'))),
  folderTarget('bark-generation', 'generation_config.json', damagedJson(json('generation_config.json'))),
  folderTarget('bark-voice', `${VOICE}_fine_prompt.npy`, damagedBytes([array], 400)),
  {
    name: 'torch-checkpoint',
    runs: 150,
    input: damagedBytes([weights, weights.slice(-30_000)], 30_000),
    read: async input => {
      await refuse(['model_invalid'], () => void openTorchCheckpoint(memorySource(WEIGHTS, input)))
    }
  },
  {
    name: 'torch-pickle',
    runs: 150,
    input: damagedBytes([pickle], 30_000),
    read: async input => {
      await refuse(['model_invalid'], () => void openTorchCheckpoint(memorySource(WEIGHTS, withPickle(input))))
    }
  },
  {
    name: 'numpy-array',
    runs: 150,
    input: damagedBytes([array], 400),
    read: async input => {
      await refuse(['model_invalid'], () => void readNumpyArray('array.npy', input))
    }
  },
  {
    name: 'bark-manifest',
    runs: 150,
    input: damagedJson(sampleManifest()),
    read: async input => {
      await refuse(['model_invalid'], () => {
        const manifest = parseModelManifest('sample', input)
        if (!isBark(manifest)) return
        for (const bytes of Object.values(barkMemory(manifest))) {
          if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`${bytes} bytes`)
        }
        const init = { manifest, weightLocation: () => 'weights' }
        buildBarkWrittenGraph(init, 'semantic')
        buildBarkWrittenGraph(init, 'coarse')
        buildBarkFineGraph(init)
        buildBarkCodecGraph(init)
      })
    }
  }
]
