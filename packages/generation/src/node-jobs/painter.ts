import { requestOfSettings, type SumsThread } from '@resultity/diffusion'
import {
  firstStep,
  MeshError,
  PICTURES_ENDPOINT,
  type PictureJob,
  type PictureSizes,
  type PictureState,
  pictureEventBytesMax,
  type Route,
  readPictureEvent,
  readPictureResult,
  requireDiffusion,
  writePictureJob
} from '@resultity/interface'
import type { PlaceableModel, Replicas, RouteConstraints } from '@resultity/placement'
import { fanOut } from './fan-out.ts'
import { MergedEvents } from './merged-events.ts'
import type { JobAttempt, NodeJobOptions, NodeJobs } from './node-jobs.ts'
import { pictureSizes } from './picture-sizes.ts'
import { drawSplit } from './split-picture.ts'
import { wrongResult } from './wrong-result.ts'

export interface PainterComponents {
  readonly nodeJobs: Pick<NodeJobs, 'follow' | 'run'>
  readonly replicas: Pick<Replicas, 'ask' | 'idle' | 'jobsMax' | 'onChange'>
  /** Puts steps together that two nodes make. */
  readonly sums: Pick<SumsThread, 'of'>
}

/** Pictures that differ in their noise alone. */
export interface PaintRequest extends Omit<PictureJob, 'picture' | 'from'> {
  readonly jobId: string
  readonly model: PlaceableModel
  readonly routing: RouteConstraints
  /** How many. */
  readonly pictures: number
  /** Those that are begun already, by their numbers: they go on from there. */
  readonly begun?: ReadonlyMap<number, PictureState>
  /** Those that are done already: nothing happens to them. */
  readonly done?: ReadonlySet<number>
}

/** What happens to the picture with the number `picture`, from 0. */
export type PaintEvent =
  /** A step is done: each is told once, in order, whatever nodes are lost. */
  | {
      readonly type: 'step'
      readonly picture: number
      readonly step: number
      readonly steps: number
      /** What {@link PaintRequest.begun} takes: of steps that follow each other fast, some come without. */
      readonly state?: PictureState | undefined
    }
  /** The picture behind a step, u8 `[height, width, 3]`; it comes before that step. */
  | { readonly type: 'preview'; readonly picture: number; readonly step: number; readonly rgb: Uint8Array }
  /** It is done, u8 `[height, width, 3]`. */
  | { readonly type: 'picture'; readonly picture: number; readonly rgb: Uint8Array; readonly route: Route }

/**
 * From so many milliseconds of a run on, the two runs of a step are worth two nodes: beside it, a run's way there and back is
 * short.
 */
const SPLIT_FROM_MS = 500

/** Pixels for which a step may take as long as a whole job of another kind. */
const PIXELS_PER_JOB = 512 * 512

/**
 * Has nodes draw pictures, each as a job of its own, on all of them that serve the model. Where a node is lost, another goes on from
 * the last step that is known, and the picture is the same. One picture alone whose steps take long has both runs of each
 * step made at once, where two nodes have nothing else to do.
 *
 * @returns what happens, in the order in which it does: events of different pictures are mixed
 * @throws MeshError as {@link NodeJobs.follow} does; `protocol_violation`, naming the node, for a step out of order, a state with
 *   what is no number, a picture of another size; `invalid_request` for a size that the model does not draw
 */
export async function* paint(
  components: PainterComponents,
  request: PaintRequest,
  options: NodeJobOptions = {}
): AsyncGenerator<PaintEvent, void> {
  const { replicas } = components
  const { model, routing, pictures, done } = request
  const sizes = pictureSizes(requireDiffusion(model.manifest), request)
  const left = pictures - (done?.size ?? 0)
  if (left > 1) replicas.ask(model, routing, left)
  const split = splits(replicas, request, sizes)
  const events = new MergedEvents<PaintEvent>()
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  const painted = fanOut(
    {
      count: pictures,
      atOnce: () => replicas.jobsMax(model, routing),
      onChange: listener => replicas.onChange(listener),
      signal
    },
    async (picture, signal) => {
      if (done?.has(picture) === true) return
      await (split ? paintSplit : paintOne)(components, { request, sizes, picture, events }, { ...options, signal })
    }
  )
  const all = allOf(painted).finally(() => events.end())
  // heard below
  all.catch(() => {})
  try {
    yield* events
    await all
  } finally {
    stop.abort(new MeshError('canceled', 'the pictures are not needed any more'))
    await all.catch(() => {})
  }
}

async function allOf(work: AsyncIterable<void>): Promise<void> {
  for await (const _ of work);
}

interface OnePicture {
  readonly request: PaintRequest
  readonly sizes: PictureSizes
  readonly picture: number
  readonly events: MergedEvents<PaintEvent>
}

/** Whether both runs of a step are made on two nodes. */
function splits(replicas: PainterComponents['replicas'], request: PaintRequest, sizes: PictureSizes): boolean {
  const { model, routing, pictures, guidance, start } = request
  if (pictures > 1 || guidance <= 1 || start !== undefined) return false
  const { config } = requireDiffusion(model.manifest)
  const positions = sizes.latentValues / config.coder.latentChannels
  const long = replicas.idle(model, routing).filter(msPerPosition => msPerPosition * positions >= SPLIT_FROM_MS)
  // the next picture finds another node
  if (long.length === 1) replicas.ask(model, routing, 2)
  return long.length > 1
}

async function paintSplit(components: PainterComponents, one: OnePicture, options: NodeJobOptions): Promise<void> {
  const { request, picture, sizes, events } = one
  const { jobId, model, routing, steps, previews, begun } = request
  const state = await drawSplit(
    components,
    {
      jobId,
      model,
      routing,
      request: requestOfSettings(request, picture),
      from: begun?.get(picture),
      jobsPerRun: jobsFor(sizes)
    },
    {
      ...options,
      onStep: async ({ step, clean, state }) => {
        if (previews.includes(step)) {
          // as if it had been the last step
          const shown = { step: steps, latents: clean.values, carried: carriedOf(sizes, clean.values) }
          const { rgb } = await decoded(components, one, shown, options)
          await events.tell({ type: 'preview', picture, step, rgb })
        }
        options.losses?.gotFurther()
        await events.tell({ type: 'step', picture, step, steps, state })
      }
    }
  )
  await events.tell({ type: 'picture', picture, ...(await decoded(components, one, state, options)) })
}

/** A picture whose steps are all done: a node has nothing to do but to decode it. */
async function decoded(components: PainterComponents, one: OnePicture, state: PictureState, options: NodeJobOptions) {
  const whole = { ...one, request: { ...one.request, previews: [] } }
  return await drawn(components, new Progress(whole, options, state), whole, options)
}

function carriedOf({ carried }: PictureSizes, values: Float32Array): Float32Array[] {
  return Array.from({ length: carried }, () => values)
}

/** How many usual jobs long a run of the model may be. */
function jobsFor({ width, height }: PictureSizes): number {
  return Math.max(1, (width * height) / PIXELS_PER_JOB)
}

async function paintOne(components: PainterComponents, one: OnePicture, options: NodeJobOptions): Promise<void> {
  const progress = new Progress(one, options, one.request.begun?.get(one.picture))
  const { rgb, route } = await drawn(components, progress, one, options)
  await one.events.tell({ type: 'picture', picture: one.picture, rgb, route })
}

async function drawn(
  { nodeJobs }: PainterComponents,
  progress: Progress,
  { request, sizes }: OnePicture,
  options: NodeJobOptions
): Promise<{ readonly rgb: Uint8Array; readonly route: Route }> {
  const { jobId, model, routing, steps } = request
  const { result, route } = await nodeJobs.follow(
    {
      jobId,
      model,
      routing,
      endpoint: PICTURES_ENDPOINT,
      begun: progress.begun,
      attempt: route => progress.attempt(route),
      // encoding the prompt and decoding the picture take time, too
      eventCount: steps + 2,
      jobsPerEvent: jobsFor(sizes)
    },
    options
  )
  const rgb = progress.done ? readPictureResult(result, sizes) : undefined
  if (rgb === undefined) throw wrongResult(route, `no picture of ${sizes.width} × ${sizes.height} in ${steps} steps`)
  return { rgb, route }
}

/** How far one picture is, over all nodes that have had it. */
class Progress {
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
    const { width, height, latentValues } = this.#one.sizes
    const job = this.#job
    const from = this.#state
    this.#step = from?.step ?? firstStep(job)
    const left = job.steps - this.#step
    const shows = new Set<number>()
    const chunkBytesMax = pictureEventBytesMax(width * height, latentValues)
    const countMax = left + job.previews.length
    return {
      body: writePictureJob({ ...job, from }),
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
    if (event.type === 'preview') {
      if (!previews.includes(step) || shows.has(step))
        throw wrongResult(route, `a picture behind step ${step}, unasked`)
      shows.add(step)
      if (this.#shown.has(step)) return undefined
      this.#shown.add(step)
      return events.tell({ type: 'preview', picture, step, rgb: event.rgb })
    }
    this.#step = step
    this.#state = event.state ?? this.#state
    // a node before this one had done it as well
    if (step <= this.#told) return undefined
    this.#told = step
    this.#options.losses?.gotFurther()
    return events.tell({ type: 'step', picture, step, steps, state: event.state })
  }
}
