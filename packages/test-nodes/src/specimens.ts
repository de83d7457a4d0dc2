import type { Advert, ModelManifest } from '@resultity/interface'

export const MIB = 2 ** 20

/** A model as placements know it. */
export interface PlaceableSpecimen {
  readonly name: string
  readonly manifest: ModelManifest
  readonly manifestSha256: string
  readonly manifestBytes: number
  readonly contextLength: number
  readonly sessionsMax: number
}

/** An advert of a node with room for so many of {@link placeable}'s layers. */
export function advert(peerId: string, layersOfRoom: number, overrides: Partial<Advert> = {}): Advert {
  const memoryBytes = layersOfRoom * 2 * MIB
  return {
    version: 1,
    peerId,
    sequence: 1,
    issuedAtMs: 0,
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    agentVersion: '0.0.0',
    multiaddrs: [],
    hardware: {
      platform: 'linux',
      architecture: 'x64',
      cpuModel: 'test',
      cpuCores: 1,
      memoryBytes: 2 ** 34,
      gpus: [],
      executionProviders: ['cpu']
    },
    memoryOfferedBytes: memoryBytes,
    memoryFreeBytes: memoryBytes,
    probeMsPer100M: 1,
    threads: 1,
    labels: {},
    stages: [],
    ...overrides
  }
}

/** A model whose layers take 1 MiB of weights and 1 MiB of KV slots each; its ends weigh nearly nothing. */
export function placeable(layers: number, sessionsMax = 2, name = 'specimen'): PlaceableSpecimen {
  const file = (index: number, bytes: number) => ({ sha256: index.toString(16).padStart(64, '0'), bytes, tensors: [] })
  const manifest: ModelManifest = {
    version: 1,
    name,
    architecture: 'llama',
    config: {
      layerCount: layers,
      hiddenSize: 64,
      intermediateSize: 128,
      headCount: 1,
      kvHeadCount: 1,
      headDim: 64,
      vocabularySize: 256,
      contextLength: 4096,
      rmsNormEpsilon: 1e-5,
      ropeTheta: 10_000,
      ropeScaling: { type: 'none' },
      tiedEmbedding: false
    },
    tokenizer: { definition: file(1, 1), config: file(2, 1), endTokenIds: [0] },
    embedding: file(3, 1),
    layers: Array.from({ length: layers }, (_, index) => file(10 + index, MIB - 1)),
    head: file(4, 1)
  }
  // 512 bytes of KV cache a position and layer
  const contextLength = MIB / 512 / sessionsMax
  return { name, manifest, manifestSha256: name.padEnd(64, '0'), manifestBytes: 1000, contextLength, sessionsMax }
}

/** An encoder of two layers that takes some 25 MiB with the memory its runs need. */
export function placeableEncoder(): PlaceableSpecimen {
  const file = (index: number) => ({ sha256: index.toString(16).padStart(64, '0'), bytes: MIB, tensors: [] })
  const manifest: ModelManifest = {
    version: 1,
    name: 'encoder',
    architecture: 'bert',
    config: {
      layerCount: 2,
      hiddenSize: 64,
      intermediateSize: 128,
      headCount: 4,
      vocabularySize: 256,
      contextLength: 512,
      positionCount: 512,
      tokenTypeCount: 2,
      layerNormEpsilon: 1e-12,
      activation: 'gelu',
      pooling: 'mean',
      normalize: true
    },
    tokenizer: { definition: file(100), config: file(101), endTokenIds: [] },
    embedding: file(0),
    layers: [file(1), file(2)]
  }
  const manifestSha256 = 'e'.repeat(64)
  return { name: 'encoder', manifest, manifestSha256, manifestBytes: 1, contextLength: 512, sessionsMax: 2 }
}

/** A Whisper of one layer on either side, with two languages; its vocabulary has 100 texts. */
export function placeableSpeech(multilingual = true): PlaceableSpecimen {
  const file = (index: number) => ({ sha256: index.toString(16).padStart(64, '0'), bytes: MIB, tensors: [] })
  const manifest: ModelManifest = {
    version: 1,
    name: 'speech',
    architecture: 'whisper',
    config: {
      melBins: 80,
      audioContext: 1500,
      textContext: 448,
      hiddenSize: 64,
      encoderLayerCount: 1,
      encoderHeadCount: 1,
      encoderFeedForwardSize: 128,
      decoderLayerCount: 1,
      decoderHeadCount: 1,
      decoderFeedForwardSize: 128,
      vocabularySize: 2000,
      multilingual,
      tokens: {
        endOfText: 100,
        startOfTranscript: 101,
        translate: 104,
        transcribe: 105,
        startOfPrevious: 106,
        noSpeech: 107,
        noTimestamps: 108,
        firstTimestamp: 110
      },
      languages: multilingual ? { en: 102, de: 103 } : {},
      suppress: [],
      suppressAtBegin: [],
      alignmentHeads: [[0, 0]]
    },
    tokenizer: { definition: file(100), config: file(101), endTokenIds: [] },
    embedding: file(0),
    layers: [file(1), file(2)]
  }
  const manifestSha256 = 'f'.repeat(64)
  return { name: 'speech', manifest, manifestSha256, manifestBytes: 1, contextLength: 448, sessionsMax: 2 }
}

/** A voice at 16 kHz with one speaker, whose phonemes are those of English. */
export function placeableVoice(speakers: Readonly<Record<string, number>> = {}): PlaceableSpecimen {
  const letters = "_^$ !',.:;?abcdefhijklmnopqrstuvwxyzæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒʔθᵻˈˌː\u0329"
  const manifest: ModelManifest = {
    version: 1,
    name: 'voice',
    architecture: 'piper',
    config: {
      sampleRate: 16_000,
      language: 'en_US',
      phonemeVoice: 'en-us',
      phonemeIds: Object.fromEntries(Array.from(letters, (letter, id) => [letter, [id]])),
      phonemeCount: 128,
      noiseScale: 0,
      noiseWidth: 0,
      lengthScale: 1,
      speakers: { ...speakers },
      license: 'CC0'
    },
    layers: [{ sha256: '1'.repeat(64), bytes: MIB, tensors: [] }]
  }
  const manifestSha256 = 'd'.repeat(64)
  return { name: 'voice', manifest, manifestSha256, manifestBytes: 1, contextLength: 640, sessionsMax: 2 }
}

/** A Kokoro at 24 kHz with an American and a British speaker. */
export function placeableKokoro(): PlaceableSpecimen {
  const letters = ';:,.!? AIOQTWYabdefhijklmnpstuvwzæðŋɑɔəɛɜɡɪɹʃʊʌʒʤʧθᵊᵻˈˌː'
  const manifest: ModelManifest = {
    version: 1,
    name: 'kokoro',
    architecture: 'kokoro',
    config: {
      sampleRate: 24_000,
      language: 'en_US',
      phonemeIds: {
        ...Object.fromEntries(Array.from(letters, (letter, at) => [letter, [at + 1]])),
        '^': [0],
        $: [0]
      },
      phonemeCount: letters.length + 1,
      styleRows: 510,
      styleSize: 256,
      speakers: { af_heart: 0, bm_ben: 1 },
      languages: { af_heart: 'en_US', bm_ben: 'en_GB' },
      license: 'Apache-2.0'
    },
    layers: [{ sha256: '2'.repeat(64), bytes: MIB, tensors: [] }],
    styles: { sha256: '3'.repeat(64), bytes: 4 * 2 * 510 * 256, tensors: [] }
  }
  const manifestSha256 = 'a'.repeat(64)
  return { name: 'kokoro', manifest, manifestSha256, manifestBytes: 1, contextLength: 640, sessionsMax: 2 }
}

/** A BLIP that looks at pictures of 32 pixels a side; it takes some 4 MiB and what its runs need. */
export function placeableCaptioner(task: 'caption' | 'answer' = 'caption'): PlaceableSpecimen {
  const file = (index: number) => ({ sha256: index.toString(16).padStart(64, '0'), bytes: MIB, tensors: [] })
  const tower = { layerCount: 1, hiddenSize: 32, headCount: 4, feedForwardSize: 64, epsilon: 1e-5 }
  const manifest: ModelManifest = {
    version: 1,
    name: 'captioner',
    architecture: 'blip',
    config: {
      task,
      imageSize: 32,
      patchSize: 16,
      mean: [0.5, 0.5, 0.5],
      deviation: [0.25, 0.25, 0.25],
      vision: tower,
      text: tower,
      textContext: 40,
      vocabularySize: 100,
      tokens: { begin: 98, end: 3 }
    },
    tokenizer: { definition: file(100), config: file(101), endTokenIds: [] },
    embedding: file(0),
    layers: Array.from({ length: task === 'answer' ? 3 : 2 }, (_, index) => file(index + 1))
  }
  const manifestSha256 = 'b'.repeat(64)
  return { name: 'captioner', manifest, manifestSha256, manifestBytes: 1, contextLength: 40, sessionsMax: 2 }
}

/** A model that draws pictures in multiples of 8 pixels, of latents of four channels; it takes some 4 MiB and what its runs need. */
export function placeableDiffusion(): PlaceableSpecimen {
  const file = (index: number) => ({ sha256: index.toString(16).padStart(64, '0'), bytes: MIB, tensors: [] })
  const manifest: ModelManifest = {
    version: 1,
    name: 'painter',
    architecture: 'diffusion',
    config: {
      schedule: {
        trainSteps: 1000,
        betaStart: 0.00085,
        betaEnd: 0.012,
        betaSchedule: 'scaled_linear',
        prediction: 'epsilon',
        timestepSpacing: 'leading',
        stepsOffset: 1,
        setAlphaToOne: false,
        rescaleBetasZeroSnr: false,
        scheduler: 'ddim'
      },
      textEncoders: [
        {
          layerCount: 1,
          hiddenSize: 32,
          headCount: 2,
          intermediateSize: 64,
          vocabularySize: 100,
          length: 77,
          activation: 'quick_gelu',
          epsilon: 1e-5,
          states: 'last',
          beginToken: 98,
          endToken: 99,
          padToken: 99
        }
      ],
      denoiser: {
        inChannels: 4,
        outChannels: 4,
        levels: [{ channels: 32, blockCount: 1, attends: true, headCount: 2, transformerDepth: 1 }],
        contextSize: 32,
        normGroups: 32,
        epsilon: 1e-5
      },
      coder: {
        latentChannels: 4,
        levels: [32, 32, 32, 32],
        blockCount: 1,
        normGroups: 32,
        epsilon: 1e-6,
        middleAttends: true,
        afterEncoder: true,
        beforeDecoder: true,
        scalingFactor: 0.18215,
        shift: 0
      },
      zeroForEmpty: false,
      pictureSize: 64
    },
    tokenizers: [{ vocabulary: { sha256: '2'.repeat(64), bytes: 1 }, merges: { sha256: '3'.repeat(64), bytes: 1 } }],
    parts: { textEncoders: [1], denoiser: 1, decoder: 1, encoder: 1 },
    layers: [file(1), file(2), file(3), file(4)]
  }
  const manifestSha256 = 'c'.repeat(64)
  return { name: 'painter', manifest, manifestSha256, manifestBytes: 1, contextLength: 77, sessionsMax: 2 }
}
