import {
  firstStep,
  type PictureEvent,
  type PictureJob,
  type PictureSizes,
  type PictureState,
  pictureEventBytesMax,
  type Route,
  readPictureEvent,
  requireDiffusion,
  writePictureJob
} from '@resultity/interface'
import type { MergedEvents } from './merged-events.ts'
import type { JobAttempt, NodeJobOptions } from './node-jobs.ts'
import type { PaintEvent, PaintRequest } from './paint-request.ts'
import { wrongResult } from './wrong-result.ts'

/** One picture of a request. */
export interface OnePicture {
  readonly request: PaintRequest
  readonly sizes: PictureSizes
  readonly picture: number
  readonly events: MergedEvents<PaintEvent>
}

/** Pixels for which a step may take as long as a whole job of another kind. */
const PIXELS_PER_JOB = 512 * 512

/** How many usual jobs long a run of the model may be. */
export function jobsFor({ width, height }: PictureSizes): number {
  return Math.max(1, (width * height) / PIXELS_PER_JOB)
}

/** Of models with a prior, times as long. */
const JOBS_WITH_PRIOR = 4

/**
 * How many usual jobs long a node may say nothing: before the first step a prior has up to 77 runs, which take a slow node some minutes
 * and are no steps.
 */
export function patienceOf({ request, sizes }: OnePicture): number {
  const { prior } = requireDiffusion(request.model.manifest).config
  return jobsFor(sizes) * (prior === undefined ? 1 : JOBS_WITH_PRIOR)
}

/** How far one picture is, over all nodes that have had it. */
export class Progress {
  readonly #one: OnePicture
  readonly #job: PictureJob
  readonly #options: NodeJobOptions
  /** The last that a node told and that was found right. */
  #state: PictureState | undefined
  /** The last step that a node of this attempt has done. */
  #step: number
  /** The last step that was told on. */
  #told: number
  readonly #shown = new Set<number>()
  /** Makes a picture of what a node without a decoder shows. */
  #decode: ((clean: Float32Array) => Promise<Uint8Array>) | undefined

  /** @param state that is known before any node is asked */
  constructor(one: OnePicture, options: NodeJobOptions, state?: PictureState) {
    const { jobId, model, routing, pictures, begun, done, ...settings } = one.request
    this.#one = one
    this.#options = options
    this.#job = { ...settings, picture: one.picture }
    this.#state = state
    this.#step = state?.step ?? firstStep(settings)
    this.#told = this.#step
  }

  /** What nodes are sent, without what was done of it. */
  get job(): PictureJob {
    return this.#job
  }

  /** The last that is known. */
  get state(): PictureState | undefined {
    return this.#state
  }

  /** Whether steps are done already. */
  get begun(): boolean {
    return this.#state !== undefined
  }

  /** Whether all steps were done by the node that was asked last. */
  get done(): boolean {
    return this.#step === this.#job.steps
  }

  /** What `route` has to do, and how it is listened to. */
  attempt(route: Route): JobAttempt {
    this.#decode = undefined
    return this.#attempt(route, writePictureJob({ ...this.#job, from: this.#state }))
  }

  /**
   * The same of a node that has the denoiser alone.
   *
   * @param write makes the body of what is left to do
   * @param decode makes a picture of latents, where one is shown on its way
   */
  steps(
    route: Route,
    write: (from: PictureState | undefined) => Uint8Array,
    decode: (clean: Float32Array) => Promise<Uint8Array>
  ): JobAttempt {
    this.#decode = decode
    return this.#attempt(route, write(this.#state))
  }

  #attempt(route: Route, body: Uint8Array): JobAttempt {
    const { width, height, latentValues } = this.#one.sizes
    const job = this.#job
    const from = this.#state
    this.#step = from?.step ?? firstStep(job)
    const left = job.steps - this.#step
    const shows = new Set<number>()
    const chunkBytesMax = pictureEventBytesMax(width * height, latentValues)
    const countMax = left + job.previews.length
    return {
      body,
      events: {
        chunkBytesMax,
        bytesMax: chunkBytesMax * countMax,
        countMax,
        take: chunk => this.#take(chunk, route, shows)
      },
      gotFurther: () => (this.#state?.step ?? 0) > (from?.step ?? 0)
    }
  }

  /** @throws MeshError `protocol_violation` naming the node */
  #take(chunk: Uint8Array, route: Route, shows: Set<number>): Promise<void> | undefined {
    const { sizes, picture, events } = this.#one
    const { steps, previews } = this.#job
    const event = readPictureEvent(chunk, sizes)
    if (event === undefined) throw wrongResult(route, 'no step of the picture that was asked for')
    const { step } = event
    if (step !== this.#step + 1 || step > steps) {
      throw wrongResult(route, `step ${step} of ${steps}, and ${this.#step + 1} is next`)
    }
    if (event.type !== 'step') {
      if ((event.type === 'clean') !== (this.#decode !== undefined))
        throw wrongResult(route, 'another form of a picture')
      if (!previews.includes(step) || shows.has(step))
        throw wrongResult(route, `a picture behind step ${step}, unasked`)
      shows.add(step)
      if (this.#shown.has(step)) return undefined
      this.#shown.add(step)
      return this.#show(event)
    }
    this.#step = step
    this.#state = event.state ?? this.#state
    // a node before this one had done it as well
    if (step <= this.#told) return undefined
    this.#told = step
    this.#options.losses?.gotFurther()
    return events.tell({ type: 'step', picture, step, steps, state: event.state })
  }

  async #show(event: Exclude<PictureEvent, { type: 'step' }>): Promise<void> {
    const { picture, events } = this.#one
    const rgb = event.type === 'preview' ? event.rgb : await this.#decode?.(event.clean)
    if (rgb !== undefined) await events.tell({ type: 'preview', picture, step: event.step, rgb })
  }
}
