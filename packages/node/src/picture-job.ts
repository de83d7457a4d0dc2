import { setImmediate } from 'node:timers/promises'
import { drawPicture, type PictureStep, requestOfSettings, type SourcePicture } from '@resultity/diffusion'
import {
  type Latents,
  type PictureEvent,
  type PictureJob,
  type PictureStart,
  type Pixels,
  writePictureEvent,
  writePictureResult
} from '@resultity/interface'
import type { JobWorkOptions } from './job-work.ts'
import type { ReadyDiffusion } from './loaded-model.ts'

/**
 * Between two states that a coordinator is sent. Where steps are faster, a lost node costs a few of them, and the link and the
 * coordinator are spared the rest.
 */
const STATE_EVERY_MS = 250

/** Pixels that are converted before others have the event loop: some milliseconds. */
const PIXELS_AT_ONCE = 131_072

/**
 * Draws one picture, or goes on with one, and tells each step: the next is made while the last is on its way.
 *
 * @returns bytes of a result ({@link writePictureResult})
 * @throws MeshError `invalid_request` for what the model does not draw, `engine_failed`; the reason of the signal
 */
export async function runPictureJob(
  { diffusion }: Pick<ReadyDiffusion, 'diffusion'>,
  job: PictureJob,
  options: JobWorkOptions
): Promise<Uint8Array> {
  const { from, start } = job
  const show = async (step: number, clean: Latents): Promise<PictureEvent> => ({
    type: 'preview',
    step,
    rgb: await toRgb(await diffusion.decode(clean, options))
  })
  const told = new ToldSteps(job, show, options)
  const { signal, workClass } = options
  const work = { ...(signal && { signal }), ...(workClass && { workClass }) }
  const request = requestOfSettings(job, job.picture, start && (await sourceOf(job, start)))
  const onStep = (step: PictureStep): Promise<void> => told.step(step)
  const pixels = await drawPicture(diffusion, request, { ...work, onStep, ...(from && { from }) })
  await told.sent
  return writePictureResult(await toRgb(pixels), job)
}

/** What the coordinator is told of a picture on its way. */
export class ToldSteps {
  readonly #show: (step: number, clean: Latents) => Promise<PictureEvent>
  readonly #job: Pick<PictureJob, 'previews'>
  readonly #options: JobWorkOptions
  #stateAt = Number.NEGATIVE_INFINITY
  #sent: Promise<void> = Promise.resolve()

  /** @param show what is told of a step behind which the picture is to be shown */
  constructor(
    job: Pick<PictureJob, 'previews'>,
    show: (step: number, clean: Latents) => Promise<PictureEvent>,
    options: JobWorkOptions
  ) {
    this.#show = show
    this.#job = job
    this.#options = options
  }

  /** Resolves when all is on its way. @throws what sending throws */
  get sent(): Promise<void> {
    return this.#sent
  }

  /** Resolves when the next step may be made. */
  async step({ step, steps, state, clean }: PictureStep): Promise<void> {
    const { scheduler, tell } = this.#options
    if (this.#job.previews.includes(step)) {
      const event = await this.#show(step, clean)
      await this.#sent
      await tell(writePictureEvent(event))
    }
    const nowMs = scheduler.monotonic()
    // without the last one a node that is lost while it decodes would cost the steps before
    const due = step === steps || nowMs - this.#stateAt >= STATE_EVERY_MS
    if (due) this.#stateAt = nowMs
    await this.#sent
    this.#sent = tell(writePictureEvent({ type: 'step', step, ...(due ? { state } : {}) }))
    // heard with the next step, or at the end
    this.#sent.catch(() => {})
  }
}

/** The picture that another begins with, as the model reads it. */
export async function sourceOf(
  { width, height }: PictureJob,
  { rgb, strength, mask }: PictureStart
): Promise<SourcePicture> {
  const count = width * height
  const values = new Float32Array(3 * count)
  const anew = new Float32Array(mask?.length ?? 0)
  await inParts(count, pixel => {
    for (let colour = 0; colour < 3; colour++) {
      values[colour * count + pixel] = (rgb[3 * pixel + colour] ?? 0) / 127.5 - 1
    }
    if (mask !== undefined) anew[pixel] = (mask[pixel] ?? 0) / 255
  })
  const pixels = { width, height, values }
  return mask === undefined ? { pixels, strength } : { pixels, strength, mask: anew }
}

/** u8 `[height, width, 3]`; what is darker or lighter than can be is as dark or light as can be. */
export async function toRgb({ width, height, values }: Pixels): Promise<Uint8Array> {
  const count = width * height
  // it rounds, and cuts off
  const rgb = new Uint8ClampedArray(3 * count)
  await inParts(count, pixel => {
    for (let colour = 0; colour < 3; colour++) {
      rgb[3 * pixel + colour] = ((values[colour * count + pixel] ?? 0) + 1) * 127.5
    }
  })
  return new Uint8Array(rgb.buffer)
}

/** Does something for each pixel, and lets others have the event loop in between. */
async function inParts(count: number, work: (pixel: number) => void): Promise<void> {
  for (let first = 0; first < count; first += PIXELS_AT_ONCE) {
    if (first > 0) await setImmediate()
    const end = Math.min(first + PIXELS_AT_ONCE, count)
    for (let pixel = first; pixel < end; pixel++) work(pixel)
  }
}
