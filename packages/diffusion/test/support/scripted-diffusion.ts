import {
  type DenoiseInput,
  type DiffusionConfig,
  type DiffusionModel,
  diffusionConfigSchema,
  type Latents,
  type Pixels,
  type TextStates,
  type WorkOptions
} from '@resultity/interface'

export const BEGIN = 8
export const END = 9
/** Tokens of a chunk. */
export const LENGTH = 6
/** Pixels a side for one latent. */
export const SCALE = 2

const schedule = {
  trainSteps: 1000,
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: 'scaled_linear',
  prediction: 'epsilon',
  timestepSpacing: 'leading',
  stepsOffset: 1,
  setAlphaToOne: false,
  rescaleBetasZeroSnr: false,
  scheduler: 'euler'
} as const

/** `edm` is a model in EDM's terms, `masks` one that fills masks, `xl` one with two text encoders and sizes. */
export type Kind = 'plain' | 'edm' | 'masks' | 'xl'

export function configOf(kind: Kind = 'plain'): DiffusionConfig {
  const xl = kind === 'xl'
  const encoder = {
    layerCount: 2,
    hiddenSize: 2,
    headCount: 1,
    intermediateSize: 2,
    vocabularySize: 10,
    length: LENGTH,
    activation: 'gelu',
    epsilon: 1e-5,
    states: 'last',
    beginToken: BEGIN,
    endToken: END,
    padToken: 0
  }
  return diffusionConfigSchema.parse({
    schedule: kind === 'edm' ? { ...schedule, scheduler: 'edm', sigmaData: 0.5 } : schedule,
    textEncoders: xl ? [encoder, { ...encoder, pooledSize: 3 }] : [encoder],
    denoiser: {
      inChannels: kind === 'masks' ? 9 : 4,
      outChannels: 4,
      levels: [{ channels: 4, blockCount: 1, attends: true, headCount: 1, transformerDepth: 1 }],
      contextSize: xl ? 4 : 2,
      normGroups: 1,
      epsilon: 1e-5,
      ...(xl && { addition: { pooledSize: 3, timeSize: 2 } })
    },
    coder: {
      latentChannels: 4,
      levels: [4, 4],
      blockCount: 1,
      normGroups: 1,
      epsilon: 1e-6,
      middleAttends: false,
      afterEncoder: true,
      beforeDecoder: true,
      scalingFactor: 0.5,
      ...(kind === 'edm' ? { means: [0.1, 0.2, 0.3, 0.4], stds: [1, 2, 3, 4] } : { shift: 0.25 })
    },
    zeroForEmpty: xl,
    pictureSize: 8
  })
}

/** What a test may have go wrong, or look at. */
export interface Script {
  /** Called before each run, with its number from 0. */
  readonly before?: (run: number, input: DenoiseInput) => Promise<void> | void
  readonly broken?: {
    readonly part: 'denoiser' | 'decoder' | 'encoder'
    readonly run?: number
    readonly value?: number
  }
}

/** A model whose parts are short formulas: what it predicts depends on everything that it is given. */
export class ScriptedDiffusion implements DiffusionModel {
  readonly config: DiffusionConfig
  readonly texts: (readonly (readonly number[])[])[] = []
  readonly inputs: DenoiseInput[] = []
  readonly encoded: Pixels[] = []
  readonly decoded: Latents[] = []
  /** Runs of the denoiser that have not ended. */
  running = 0
  readonly #script: Script

  constructor(config: DiffusionConfig, script: Script = {}) {
    this.config = config
    this.#script = script
  }

  async encodeText(encoders: readonly (readonly Uint32Array[])[]): Promise<TextStates> {
    this.texts.push(encoders.map(chunks => chunks.flatMap(chunk => [...chunk])))
    const size = this.config.denoiser.contextSize
    const tokens = encoders.map(chunks => chunks.flatMap(chunk => [...chunk]))
    const length = tokens[0]?.length ?? 0
    const states = Float32Array.from({ length: length * size }, (_, index) => {
      const encoder = tokens[index % tokens.length] ?? []
      return (encoder[Math.floor(index / size)] ?? 0) / 10 + (index % size) / 7
    })
    const pooled = Float32Array.from({ length: this.config.denoiser.addition?.pooledSize ?? 0 }, (_, at) => at + length)
    return { states, length, size, pooled }
  }

  async denoise(input: DenoiseInput, options: WorkOptions = {}): Promise<Float32Array> {
    options.signal?.throwIfAborted()
    const run = this.inputs.length
    this.inputs.push(input)
    this.running++
    try {
      await this.#script.before?.(run, input)
      const { height, width, values, channels } = input.latents
      const plane = height * width
      const text = input.text.states.reduce((sum, value, at) => sum + value * ((at % 5) - 2), 0)
      const sizes = input.timeIds.reduce((sum, value) => sum + value, 0)
      const shift = Math.sin(input.timestep / 100 + text + sizes / 50)
      const predicted = Float32Array.from({ length: 4 * plane }, (_, at) => {
        const beside = channels > 4 ? (values[(4 * plane + at) % values.length] ?? 0) : 0
        return Math.tanh((values[at] ?? 0) + 0.3 * (values[(at + 1) % (4 * plane)] ?? 0) + shift + beside)
      })
      return this.#broken('denoiser', run) ? spoilt(predicted, this.#script.broken?.value) : predicted
    } finally {
      this.running--
    }
  }

  async decode(latents: Latents): Promise<Pixels> {
    this.decoded.push(latents)
    const { height, width, values } = latents
    const side = { height: height * SCALE, width: width * SCALE }
    const pixels = Float32Array.from({ length: 3 * side.height * side.width }, (_, at) => {
      const channel = Math.floor(at / (side.height * side.width))
      const y = Math.floor((at % (side.height * side.width)) / side.width / SCALE)
      const x = Math.floor((at % side.width) / SCALE)
      return values[(channel * height + y) * width + x] ?? 0
    })
    return { ...side, values: this.#broken('decoder', 0) ? spoilt(pixels) : pixels }
  }

  async encode(pixels: Pixels): Promise<{ readonly mean: Latents; readonly logVariance: Float32Array }> {
    this.encoded.push(pixels)
    const [height, width] = [pixels.height / SCALE, pixels.width / SCALE]
    const values = Float32Array.from({ length: 4 * height * width }, (_, at) => pixels.values[at * 3] ?? 0)
    const mean = { channels: 4, height, width, values: this.#broken('encoder', 0) ? spoilt(values) : values }
    return { mean, logVariance: values.map((_, at) => -2 - (at % 3)) }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #broken(part: 'denoiser' | 'decoder' | 'encoder', run: number): boolean {
    const { broken } = this.#script
    return broken?.part === part && (broken.run ?? 0) === run
  }
}

function spoilt(values: Float32Array, value = Number.NaN): Float32Array {
  const copy = values.slice()
  copy[copy.length - 2] = value
  return copy
}

/** Chunks of a prompt, as long as they are. */
export function chunk(...words: readonly number[]): Uint32Array {
  return Uint32Array.from({ length: LENGTH }, (_, at) => {
    if (at === 0) return BEGIN
    return words[at - 1] ?? (at === words.length + 1 ? END : 0)
  })
}
