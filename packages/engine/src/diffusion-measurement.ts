import {
  type AbortOptions,
  type DiffusionConfig,
  type DiffusionModel,
  type DiffusionSection,
  diffusionSections,
  type Latents,
  latentScale,
  type Prior,
  picturePixelsMax,
  type TextStates,
  TIME_ID_COUNT
} from '@resultity/interface'
import { KernelDigest } from './kernel-digest.ts'
import { median } from './median.ts'

/** What pictures cost on this machine as it is now, other load included. */
export interface DiffusionMeasurement {
  /** Milliseconds of one position of the latents in one run of the denoiser: a step with guidance has two. */
  readonly msPerPosition: number
  /** What the runs came out as: the same where two nodes draw the same pictures. */
  readonly digest: string
}

export interface MeasureOptions extends AbortOptions {
  readonly sections?: ReadonlySet<DiffusionSection>
}

/** Rows and columns of latents, where a model draws as many: a picture of 128 × 128 of published models, which keeps a processor busy. */
const SIDE = 16
const RUNS = 3

/**
 * Encodes, denoises and decodes what is no picture, which also shows that all components' weights give numbers.
 *
 * @param sections those that the model has here. Default: all
 */
export async function measureDiffusion(
  model: DiffusionModel,
  { sections = new Set(diffusionSections), ...options }: MeasureOptions = {}
): Promise<DiffusionMeasurement> {
  const { textEncoders, denoiser, coder } = model.config
  const prompt = textEncoders.map(({ length, beginToken, endToken, padToken }) => [
    Uint32Array.from({ length }, (_, at) => (at === 0 ? beginToken : at === 1 ? endToken : padToken))
  ])
  const encoded = sections.has('text') ? await model.encodeText(prompt, options) : undefined
  const imagined = encoded && model.prior && (await imagine(model.prior, encoded, options))
  const text = imagined ?? encoded ?? statesOf(model.config)
  const side = Math.min(SIDE, Math.floor(Math.sqrt(picturePixelsMax(model.config)) / latentScale(model.config)))
  const latents = patternOf(denoiser.inChannels, side)
  const digest = new KernelDigest()
  const timeIds = denoiser.addition === undefined ? [] : Array.from({ length: TIME_ID_COUNT }, () => 0)
  const times: number[] = []
  // those of a prompt come out in what is predicted of them
  if (encoded !== undefined && !sections.has('denoiser')) digest.add(encoded.states)
  for (let run = 0; run < (sections.has('denoiser') ? RUNS : 0); run++) {
    const start = performance.now()
    const prediction = await model.denoise({ latents, timestep: 1, text, timeIds }, options)
    times.push(performance.now() - start)
    digest.add(prediction)
  }
  if (sections.has('coder')) {
    const { values } = await model.decode(patternOf(coder.latentChannels, side), options)
    digest.add(values)
  }
  return { msPerPosition: times.length === 0 ? 0 : median(times) / (side * side), digest: digest.end() }
}

/** Of no prompt, where the text encoders are elsewhere: from -1 to 1. */
function statesOf({ textEncoders, denoiser }: DiffusionConfig): TextStates {
  const length = textEncoders[0]?.length ?? 1
  const { contextSize: size, addition } = denoiser
  const pattern = (count: number): Float32Array => Float32Array.from({ length: count }, (_, at) => valueAt(at))
  return { states: pattern(length * size), pooled: pattern(addition?.pooledSize ?? 0), length, size }
}

/** From -1 to 1, and the same numbers on every machine. */
function patternOf(channels: number, side: number): Latents {
  const values = Float32Array.from({ length: channels * side * side }, (_, at) => valueAt(at))
  return { channels, height: side, width: side, values }
}

function valueAt(at: number): number {
  return ((37 * at) % 101) / 50 - 1
}

/** One run of a prior, and what stands for no picture in the place of a text: it shows more than numbers that are small. */
async function imagine({ nothing, ...prior }: Prior, text: TextStates, options: AbortOptions): Promise<TextStates> {
  await prior.imagine({ noisy: nothing, timestep: 1, text, tokenCount: 2 }, options)
  return { states: nothing, length: 1, size: nothing.length, pooled: new Float32Array() }
}
