import {
  type AbortOptions,
  type DiffusionModel,
  type Latents,
  latentScale,
  picturePixelsMax,
  TIME_ID_COUNT
} from '@resultity/interface'
import { median } from './median.ts'

/** What pictures cost on this machine as it is now, other load included. */
export interface DiffusionMeasurement {
  /** Milliseconds of one position of the latents in one run of the denoiser: a step with guidance has two. */
  readonly msPerPosition: number
}

/** Rows and columns of latents, where a model draws as many: a picture of 128 × 128 of published models, which keeps a processor busy. */
const SIDE = 16
const RUNS = 3

/** Encodes, denoises and decodes grey, which also shows that all components' weights give numbers. */
export async function measureDiffusion(
  model: DiffusionModel,
  options: AbortOptions = {}
): Promise<DiffusionMeasurement> {
  const { textEncoders, denoiser, coder } = model.config
  const prompt = textEncoders.map(({ length, beginToken, endToken, padToken }) => [
    Uint32Array.from({ length }, (_, at) => (at === 0 ? beginToken : at === 1 ? endToken : padToken))
  ])
  const text = await model.encodeText(prompt, options)
  const side = Math.min(SIDE, Math.floor(Math.sqrt(picturePixelsMax(model.config)) / latentScale(model.config)))
  const latents = greyLatents(denoiser.inChannels, side)
  const timeIds = denoiser.addition === undefined ? [] : Array.from({ length: TIME_ID_COUNT }, () => 0)
  const times: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now()
    await model.denoise({ latents, timestep: 1, text, timeIds }, options)
    times.push(performance.now() - start)
  }
  await model.decode(greyLatents(coder.latentChannels, side), options)
  return { msPerPosition: median(times) / (side * side) }
}

function greyLatents(channels: number, side: number): Latents {
  return { channels, height: side, width: side, values: new Float32Array(channels * side * side) }
}
