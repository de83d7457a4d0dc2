import {
  type DiffusionSchedule,
  describeIssues,
  diffusionScheduleSchema,
  modelInvalid,
  type PictureScheduler,
  safeParse
} from '@resultity/interface'
import { z } from 'zod'
import { only, type ReadText, readConfig, unset } from './read-config.ts'

/** What a scheduler of diffusers takes where its file does not say. */
interface Defaults {
  readonly scheduler: PictureScheduler
  readonly timestepSpacing: DiffusionSchedule['timestepSpacing']
  readonly setAlphaToOne: boolean
  readonly betaStart?: number
  readonly betaEnd?: number
  readonly betaSchedule?: DiffusionSchedule['betaSchedule']
  /** In EDM's terms. */
  readonly edm?: boolean
}

const standard = { timestepSpacing: 'linspace', setAlphaToOne: true } as const
const edm = { ...standard, edm: true } as const

/**
 * By the class that the publisher chose. Those that are not ours solve the same equation: another that takes few steps for it
 * stands for them.
 */
const classes: Readonly<Record<string, Defaults>> = {
  DDIMScheduler: { scheduler: 'ddim', timestepSpacing: 'leading', setAlphaToOne: true },
  DDPMScheduler: { scheduler: 'ddim', timestepSpacing: 'leading', setAlphaToOne: true },
  EulerDiscreteScheduler: { ...standard, scheduler: 'euler' },
  EulerAncestralDiscreteScheduler: { ...standard, scheduler: 'euler_a' },
  DPMSolverMultistepScheduler: { ...standard, scheduler: 'dpmpp_2m' },
  LCMScheduler: {
    scheduler: 'lcm',
    timestepSpacing: 'leading',
    setAlphaToOne: true,
    betaStart: 0.00085,
    betaEnd: 0.012,
    betaSchedule: 'scaled_linear'
  },
  EDMDPMSolverMultistepScheduler: { ...edm, scheduler: 'edm' },
  EDMEulerScheduler: { ...edm, scheduler: 'edm_euler' },
  PNDMScheduler: { scheduler: 'dpmpp_2m', timestepSpacing: 'leading', setAlphaToOne: false },
  DPMSolverSinglestepScheduler: { ...standard, scheduler: 'dpmpp_2m' },
  UniPCMultistepScheduler: { ...standard, scheduler: 'dpmpp_2m' },
  DEISMultistepScheduler: { ...standard, scheduler: 'dpmpp_2m' },
  LMSDiscreteScheduler: { ...standard, scheduler: 'euler' },
  HeunDiscreteScheduler: { ...standard, scheduler: 'euler' },
  KDPM2DiscreteScheduler: { ...standard, scheduler: 'euler' },
  KDPM2AncestralDiscreteScheduler: { ...standard, scheduler: 'euler_a' }
}

const optional = <Schema extends z.ZodType>(schema: Schema) => schema.nullish().transform(value => value ?? undefined)

const fileSchema = z.looseObject({
  _class_name: z.string(),
  num_train_timesteps: optional(z.number()),
  beta_start: optional(z.number()),
  beta_end: optional(z.number()),
  beta_schedule: optional(z.string()),
  trained_betas: unset,
  prediction_type: optional(z.string()),
  timestep_spacing: optional(z.string()),
  steps_offset: optional(z.number()),
  set_alpha_to_one: optional(z.boolean()),
  rescale_betas_zero_snr: optional(z.boolean()),
  use_karras_sigmas: optional(z.boolean()),
  clip_sample: optional(z.boolean()),
  clip_sample_range: optional(z.number()),
  variance_type: optional(z.string()),
  thresholding: only(false),
  sigma_min: optional(z.number()),
  sigma_max: optional(z.number()),
  sigma_data: optional(z.number()),
  timestep_type: only('discrete')
})

export const SCHEDULER_CONFIG = 'scheduler/scheduler_config.json'

/** @throws MeshError `model_invalid` naming what is not supported */
export function scheduleOf(read: ReadText): DiffusionSchedule {
  const file = readConfig(read, SCHEDULER_CONFIG, fileSchema)
  const defaults = Object.hasOwn(classes, file._class_name) ? classes[file._class_name] : undefined
  if (defaults === undefined) {
    const known = Object.keys(classes).join(', ')
    throw modelInvalid(SCHEDULER_CONFIG, `"${file._class_name}" is not supported`, `Name one of ${known}.`)
  }
  // how much noise to add is predicted: it is added
  const learned = file._class_name === 'DDPMScheduler' && file.variance_type === 'learned_range'
  // this class clips unless it is told not to
  if (!learned && (file.clip_sample ?? file._class_name === 'DDIMScheduler')) {
    throw modelInvalid(SCHEDULER_CONFIG, '"clip_sample" is true, and latents are not clipped', 'Set it to false.')
  }
  const candidate = {
    trainSteps: file.num_train_timesteps ?? 1000,
    betaStart: file.beta_start ?? defaults.betaStart ?? 0.0001,
    betaEnd: file.beta_end ?? defaults.betaEnd ?? 0.02,
    betaSchedule: file.beta_schedule ?? defaults.betaSchedule ?? 'linear',
    prediction: file.prediction_type ?? 'epsilon',
    timestepSpacing: file.timestep_spacing ?? defaults.timestepSpacing,
    stepsOffset: file.steps_offset ?? 0,
    setAlphaToOne: file.set_alpha_to_one ?? defaults.setAlphaToOne,
    rescaleBetasZeroSnr: file.rescale_betas_zero_snr ?? false,
    ...(learned && file.clip_sample !== false ? { clip: file.clip_sample_range ?? 1 } : {}),
    scheduler: learned ? 'ddpm' : withKarras(defaults.scheduler, file.use_karras_sigmas === true),
    ...(defaults.edm === true
      ? { sigmaData: file.sigma_data ?? 0.5, sigmaMin: file.sigma_min ?? 0.002, sigmaMax: file.sigma_max ?? 80 }
      : {})
  }
  const parsed = safeParse(diffusionScheduleSchema, candidate)
  if (parsed.success) return parsed.data
  throw modelInvalid(SCHEDULER_CONFIG, describeIssues(parsed.error, candidate))
}

function withKarras(scheduler: PictureScheduler, karras: boolean): PictureScheduler {
  if (!karras) return scheduler
  return scheduler === 'dpmpp_2m' || scheduler === 'euler' ? `${scheduler}_karras` : scheduler
}
