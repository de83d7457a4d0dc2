import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type GgufContent,
  type GgufTensorContent,
  memorySource,
  parseSafetensors,
  readGgufHeader,
  type WeightFilePlan
} from '@resultity/formats'
import { type ErrorCode, MeshError, type ModelManifest, parseModelManifest, requireDecoder } from '@resultity/interface'
import { hardTexts } from '@resultity/test-property'
import {
  ChatTemplate,
  createEncoderTokenizer,
  createTokenizer,
  RENDERED_CHARS_MAX,
  readVocabulary,
  tokenizerFilesFromDirectory,
  tokenizerFilesFromGguf
} from '@resultity/tokenizer'
import fc from 'fast-check'
import { planEncoderFiles } from '../src/import/encoder-weight-file.ts'
import { openGguf } from '../src/import/gguf-source.ts'
import { openEncoderDirectory, openSafetensorsDirectory } from '../src/import/safetensors-source.ts'
import { planWeightFiles } from '../src/import/weight-file.ts'
import { buildEncoderGraph, buildStageGraph, encoderMemory, rotaryTables, stageMemory } from '../src/index.ts'
import { fetchFromHub } from '../src/sources/hub.ts'
import { extractModel } from '../src/sources/wheel.ts'
import { barkTargets } from './fuzz-bark.ts'
import { blipTargets } from './fuzz-blip.ts'
import { diffusionTargets } from './fuzz-diffusion.ts'
import { damagedBytes, damagedJson, grownTemplates } from './fuzz-inputs.ts'
import { drain, type FuzzTarget, refuse } from './fuzz-target.ts'
import { speechManifestTarget, whisperTargets } from './fuzz-whisper.ts'
import { makeZip } from './sources-fixtures.ts'
import { ggufBytes, TINY_CHAT, tinyGguf } from './tiny-models.ts'

const text = new TextDecoder()
const encoder = new TextEncoder()
const TINY_ENCODER = join(import.meta.dirname, '../../test/fixtures/tiny-encoder')

const limits = { vocabularySize: 4096, contextLength: 512 }

function useTokenizer(files: Parameters<typeof createTokenizer>[0]): void {
  readVocabulary(files.definition, limits.vocabularySize)
  const tokenizer = createTokenizer(files, limits)
  for (const each of hardTexts) {
    try {
      tokenizer.decode(tokenizer.encode(each.slice(0, 500)))
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'context_length_exceeded') throw error
    }
  }
}

const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))
const inTinyChat = (name: string): string => join(TINY_CHAT, name)
const tinyFiles = {
  definition: readFileSync(inTinyChat('tokenizer.json')),
  config: readFileSync(inTinyChat('tokenizer_config.json')),
  endTokenIds: [6]
}

const gguf: FuzzTarget = {
  name: 'gguf',
  runs: 150,
  input: damagedBytes([ggufBytes(tinyGguf())], 12_000),
  read: async (input, directory) => {
    const path = join(directory, 'model.gguf')
    await writeFile(path, input)
    await refuse(['model_invalid'], () => {
      using source = openGguf(path)
      const { embedding, layers, head } = planWeightFiles(source, { dequantize: false })
      drain([embedding, ...layers, head], input.byteLength)
    })
    await refuse(['model_invalid'], () => {
      useTokenizer(tokenizerFilesFromGguf(Object.fromEntries(readGgufHeader(path).metadata)))
    })
  }
}

const safetensors: FuzzTarget = {
  name: 'safetensors',
  runs: 120,
  input: damagedBytes([readFileSync(join(TINY_ENCODER, 'model.safetensors'))], 6000),
  read: async (input, directory) => {
    await refuse(['model_invalid'], () => parseSafetensors(memorySource('model.safetensors', input)))
    await writeFile(join(directory, 'model.safetensors'), input)
    await writeFile(join(directory, 'config.json'), readFileSync(join(TINY_ENCODER, 'config.json')))
    await refuse(['model_invalid'], () => {
      using source = openEncoderDirectory(directory)
      drain(planEncoderFiles(source), input.byteLength)
    })
  }
}

/** A document of a model folder, changed; the rest of the folder is right. */
function folderTarget(name: string, file: string, sample: unknown, runs: number): FuzzTarget {
  return {
    name,
    runs,
    input: damagedJson(sample),
    read: async (input, directory) => {
      const source = file.startsWith('bert-') ? TINY_ENCODER : TINY_CHAT
      for (const each of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
        await writeFile(join(directory, each), readFileSync(join(source, each)))
      }
      await writeFile(join(directory, file.replace('bert-', '')), input)
      await refuse(['model_invalid', 'model_not_found'], () => {
        if (source === TINY_ENCODER) {
          using opened = openEncoderDirectory(directory)
          drain(planEncoderFiles(opened), 1_000_000)
        } else {
          using opened = openSafetensorsDirectory(directory)
          const { embedding, layers, head } = planWeightFiles(opened, { dequantize: false })
          drain([embedding, ...layers, head], 4_000_000)
        }
      })
      await refuse(['model_invalid'], async () => {
        const files = await tokenizerFilesFromDirectory(directory)
        if (source === TINY_CHAT) useTokenizer(files)
      })
    }
  }
}

const tokenizer: FuzzTarget = {
  name: 'tokenizer',
  runs: 72,
  input: damagedJson(json(inTinyChat('tokenizer.json'))),
  read: async definition => {
    await refuse(['model_invalid'], () => useTokenizer({ ...tinyFiles, definition }))
    await refuse(['model_invalid'], () => readVocabulary(definition, limits.vocabularySize))
  }
}

const encoderTokenizer: FuzzTarget = {
  name: 'encoder-tokenizer',
  runs: 90,
  input: damagedJson(json(join(TINY_ENCODER, 'tokenizer.json'))),
  read: async definition => {
    await refuse(['model_invalid'], () => {
      const made = createEncoderTokenizer(definition, limits)
      for (const each of hardTexts) {
        try {
          made.encode(each.slice(0, 500))
        } catch (error) {
          if (!(error instanceof MeshError) || error.code !== 'context_length_exceeded') throw error
        }
      }
    })
  }
}

const realTemplate = String(Reflect.get(Object(json(inTinyChat('tokenizer_config.json'))), 'chat_template'))

const template: FuzzTarget = {
  name: 'template',
  runs: 120,
  input: fc.oneof(
    grownTemplates.map(source => encoder.encode(source)),
    damagedBytes([encoder.encode(realTemplate)])
  ),
  read: async input => {
    await refuse(['model_invalid', 'invalid_request', 'deadline_exceeded'], () => {
      const chat = new ChatTemplate(text.decode(input), { bos: '<s>', eos: '</s>', unk: '', pad: '' })
      const messages = [
        { role: 'user', content: 'hello a world' },
        { role: 'assistant', content: 'hi', toolCalls: [{ id: '1', name: 'f', arguments: { a: [1, { b: null }] } }] }
      ] as const
      const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }]
      const { length } = chat.render(messages, { tools })
      if (length > RENDERED_CHARS_MAX) throw new Error(`a prompt of ${length} characters`)
    })
  }
}

const wheel: FuzzTarget = {
  name: 'wheel',
  runs: 90,
  input: damagedBytes(
    [false, true].map(deflate =>
      makeZip({ 'pkg/model.gguf': Buffer.from('GGUF of a model'), 'pkg/other.py': Buffer.from('pass') }, { deflate })
    ),
    400
  ),
  read: async (input, directory) => {
    const path = join(directory, 'model.whl')
    await writeFile(path, input)
    await refuse(['model_invalid', 'resource_exhausted'], () => extractModel(path, {}, join(directory, 'out')))
  }
}

const hub: FuzzTarget = {
  name: 'hub',
  runs: 36,
  input: damagedJson({
    sha: 'e'.repeat(40),
    siblings: [
      { blobId: 'a'.repeat(40), size: 3, rfilename: 'config.json' },
      {
        blobId: 'b'.repeat(40),
        size: 3,
        rfilename: 'model.safetensors',
        lfs: { sha256: 'c'.repeat(64), size: 3, pointerSize: 1 }
      },
      { blobId: 'd'.repeat(40), size: 3, rfilename: '1_Pooling/config.json' }
    ]
  }),
  read: async (listing, directory) => {
    const server = createServer(({ url }, response) => {
      const list = url?.includes('/revision/') === true
      response
        .setHeader('content-type', list ? 'application/json' : 'application/octet-stream')
        .end(list ? listing : 'abc')
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port }: AddressInfo = Object(server.address())
    const codes: ErrorCode[] = [
      'model_invalid',
      'model_not_found',
      'model_unavailable',
      'hash_mismatch',
      'resource_exhausted'
    ]
    try {
      await refuse(codes, () =>
        fetchFromHub(
          { repo: 'org/model', file: undefined },
          { directory, hubUrl: `http://127.0.0.1:${port}`, retryMs: 1, idleMs: 2000, connectMs: 2000 }
        )
      )
    } finally {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
}

/** What is done with a manifest before any memory is taken for it. */
function useManifest(manifest: ModelManifest): void {
  const weightLocation = (): string => 'weights'
  if (manifest.architecture === 'bert') {
    encoderMemory(manifest)
    buildEncoderGraph({ manifest, weightLocation })
    return
  }
  const decoder = requireDecoder(manifest)
  const range = { first: 0, end: decoder.layers.length }
  const { kvBytes } = stageMemory({ manifest: decoder, range, contextLength: 16, sessionsMax: 1 })
  if (!Number.isSafeInteger(kvBytes)) throw new Error(`${kvBytes} bytes of cache`)
  const { cos } = rotaryTables(decoder.config, 16)
  if (!cos.every(Number.isFinite)) throw new Error('angles that are no numbers')
  buildStageGraph({ manifest: decoder, range, contextLength: 16, logits: 'last', weightLocation })
}

/** @param sample manifests as conversion makes them */
function manifestTarget(sample: unknown): FuzzTarget {
  return {
    name: 'manifest',
    runs: 240,
    input: damagedJson(sample),
    read: async input => {
      await refuse(['model_invalid', 'invalid_request'], () => useManifest(parseModelManifest('sample', input)))
    }
  }
}

/** A tiny model of blocks with minima: their matrices have the most fields. */
function withMinima(): GgufContent {
  const content = tinyGguf()
  const tensors = content.tensors.map((tensor): GgufTensorContent => {
    if (tensor.encoding !== 'Q4_0') return tensor
    const blocks = tensor.shape.reduce((product, dimension) => product * dimension, 1) / 32
    return { ...tensor, encoding: 'Q4_1', chunks: () => [new Uint8Array(blocks * 20)] }
  })
  return { ...content, tensors }
}

/** As conversion makes it of a tiny model. */
function sampleManifest(): unknown {
  const directory = mkdtempSync(join(tmpdir(), 'resultity-fuzz-'))
  const path = join(directory, 'model.gguf')
  try {
    writeFileSync(path, ggufBytes(withMinima()))
    using source = openGguf(path)
    const { embedding, layers, head } = planWeightFiles(source, { dequantize: false })
    const sha256 = 'a'.repeat(64)
    const named = ({ layout }: WeightFilePlan): object => ({ sha256, ...layout })
    return {
      version: 1,
      name: 'sample',
      architecture: 'llama',
      config: source.config,
      tokenizer: { definition: { sha256, bytes: 10 }, config: { sha256, bytes: 10 }, endTokenIds: [2] },
      embedding: named(embedding),
      layers: layers.map(named),
      head: named(head)
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

export const fuzzTargets: readonly FuzzTarget[] = [
  gguf,
  safetensors,
  folderTarget('config', 'config.json', json(inTinyChat('config.json')), 40),
  folderTarget('encoder-config', 'bert-config.json', json(join(TINY_ENCODER, 'config.json')), 80),
  folderTarget(
    'index',
    'model.safetensors.index.json',
    { weight_map: { a: 'model.safetensors', b: 'x.safetensors' } },
    30
  ),
  folderTarget('tokenizer-config', 'tokenizer_config.json', json(inTinyChat('tokenizer_config.json')), 40),
  tokenizer,
  encoderTokenizer,
  template,
  wheel,
  hub,
  manifestTarget(sampleManifest()),
  ...whisperTargets,
  ...barkTargets,
  ...blipTargets,
  ...diffusionTargets,
  speechManifestTarget
]

/** Reads one input in a folder of its own. */
export async function readInput(target: FuzzTarget, input: Uint8Array): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'resultity-fuzz-'))
  try {
    await target.read(input, directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
