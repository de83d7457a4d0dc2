import { z } from 'zod'

const size = z.int().positive()

/** How noise was added while a denoiser was trained, and what it predicts: a folder's `scheduler_config.json`. */
export const diffusionScheduleSchema = z.object({
  /** Training steps. */
  trainSteps: size.max(10_000),
  betaStart: z.number().positive().max(1),
  betaEnd: z.number().positive().max(1),
  betaSchedule: z.enum(['linear', 'scaled_linear', 'squaredcos_cap_v2']),
  prediction: z.enum(['epsilon', 'v_prediction', 'sample']),
  timestepSpacing: z.enum(['leading', 'trailing', 'linspace']),
  stepsOffset: z.int().nonnegative().max(1000),
  setAlphaToOne: z.boolean(),
  rescaleBetasZeroSnr: z.boolean(),
  /** Set for models in EDM's terms (Karras et al., arXiv:2206.00364), such as Playground v2.5. */
  sigmaData: z.number().positive().optional(),
  sigmaMin: z.number().positive().optional(),
  sigmaMax: z.number().positive().optional(),
  /** The scheduler that the publisher chose, where a request names none. */
  scheduler: z.enum(['ddim', 'euler', 'euler_a', 'dpmpp_2m', 'dpmpp_2m_karras', 'lcm', 'edm'])
})
export type DiffusionSchedule = z.infer<typeof diffusionScheduleSchema>

/** Sizes and settings of a diffusion model. */
export const diffusionConfigSchema = z.object({
  schedule: diffusionScheduleSchema
})
export type DiffusionConfig = z.infer<typeof diffusionConfigSchema>
