import {
  allFinite,
  type DiffusionConfig,
  MeshError,
  type Prior,
  type PriorConfig,
  type TextStates,
  type WorkOptions
} from '@resultity/interface'
import { guided } from './guidance.ts'
import { draws, type NoiseSource } from './noise.ts'
import type { PromptTokens } from './picture-request.ts'
import { createPriorSampler } from './sampler.ts'

/** As priors are published to be used; requests do not set them. */
const STEPS = 25
const GUIDANCE = 4

/** A text as a prior reads it. */
export interface ReadText {
  readonly states: TextStates
  readonly tokenCount: number
}

export interface ImagineInit {
  readonly prior: Prior
  readonly config: PriorConfig
  readonly prompt: ReadText
  /** What the embedding is driven away from; the prompt itself where that is nothing. */
  readonly negative: ReadText
  /** The picture's. */
  readonly noise: NoiseSource
  /** Before the draws of this embedding. */
  readonly draw: number
}

/**
 * Makes the embedding of a picture of a text, as a picture is drawn: it begins as noise, and each step takes some away (Ramesh et al.,
 * arXiv:2204.06125, section 2.2).
 *
 * @returns the embedding, as a denoiser reads it
 * @throws MeshError `engine_failed` for a prior that gives no numbers; what it throws; the signal's reason, between two runs
 */
export async function imagined(init: ImagineInit, options: WorkOptions): Promise<TextStates> {
  const { prior, config, prompt, negative, noise, draw } = init
  const sampler = createPriorSampler(config, STEPS)
  const { embeddingSize: size } = config
  let state = sampler.begin(noise(draw + draws.start, size))
  const look = (text: ReadText, timestep: number) => {
    options.signal?.throwIfAborted()
    return prior.imagine({ noisy: state.latents, timestep, text: text.states, tokenCount: text.tokenCount }, options)
  }
  for (const [step, timestep] of sampler.timesteps.entries()) {
    const { prediction: wanted } = await look(prompt, timestep)
    const without = negative === prompt ? wanted : (await look(negative, timestep)).prediction
    const prediction = guided(without, wanted, { scale: GUIDANCE })
    const added = sampler.addsNoise(step) ? noise(draw + draws.step(step), size) : undefined
    state = sampler.step(state, prediction, added).state
    if (!allFinite(state.latents)) throw noNumbers(step)
  }
  const { embedding } = await look(prompt, 0)
  return asText(embedding)
}

/** An embedding in the place of a text. */
export function asText(embedding: Float32Array): TextStates {
  return { states: embedding, length: 1, size: embedding.length, pooled: new Float32Array() }
}

/** How many tokens of a chunk are a text, those that frame it included. */
export function countTokens({ textEncoders }: DiffusionConfig, prompt: PromptTokens): number {
  const chunk = prompt[0]?.[0] ?? new Uint32Array()
  const end = chunk.indexOf(textEncoders[0]?.endToken ?? 0, 1)
  return end === -1 ? chunk.length : end + 1
}

function noNumbers(step: number): MeshError {
  return new MeshError('engine_failed', `the model's prior gave no numbers in step ${step + 1} of ${STEPS}`, {
    hint: 'The weights may be damaged, or too large for the numbers they are computed with.',
    details: { part: 'prior', step }
  })
}
