import { requestOfSettings, type SumsThread } from '@resultity/diffusion'
import {
  MeshError,
  PICTURES_ENDPOINT,
  type PictureSizes,
  type PictureState,
  readPictureResult,
  requireDiffusion
} from '@resultity/interface'
import type { Replicas } from '@resultity/placement'
import { fanOut } from './fan-out.ts'
import { MergedEvents } from './merged-events.ts'
import { isInParts, type NodeJobOptions, type NodeJobs } from './node-jobs.ts'
import type { PaintEvent, PaintRequest } from './paint-request.ts'
import { type DrawnPicture, drawnInParts } from './parts-of-picture.ts'
import { jobsFor, type OnePicture, Progress, patienceOf } from './picture-progress.ts'
import { pictureSizes } from './picture-sizes.ts'
import { drawSplit } from './split-picture.ts'
import { wrongResult } from './wrong-result.ts'

export interface PainterComponents {
  readonly nodeJobs: Pick<NodeJobs, 'follow' | 'run'>
  readonly replicas: Pick<Replicas, 'ask' | 'idle' | 'jobsMax' | 'onChange'>
  /** Puts steps together that two nodes make. */
  readonly sums: Pick<SumsThread, 'of'>
}

/**
 * From so many milliseconds of a run on, the two runs of a step are worth two nodes: beside it, a run's way there and back is
 * short.
 */
const SPLIT_FROM_MS = 500

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

/** Whether both runs of a step are made on two nodes. */
function splits(replicas: PainterComponents['replicas'], request: PaintRequest, sizes: PictureSizes): boolean {
  const { model, routing, pictures, guidance, start } = request
  if (pictures > 1 || guidance <= 1 || start !== undefined) return false
  const { config } = requireDiffusion(model.manifest)
  // a run is told a prompt, and not what a prior makes of it
  if (config.prior !== undefined) return false
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
      // each run reads its prompt itself
      routing: { ...routing, stages: 1 },
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

async function paintOne(components: PainterComponents, one: OnePicture, options: NodeJobOptions): Promise<void> {
  const progress = new Progress(one, options, one.request.begun?.get(one.picture))
  const { rgb, route } = await drawn(components, progress, one, options)
  await one.events.tell({ type: 'picture', picture: one.picture, rgb, route })
}

/** By a node that serves the whole model, or where there is none by those that serve its sections. */
async function drawn(
  { nodeJobs }: PainterComponents,
  progress: Progress,
  one: OnePicture,
  options: NodeJobOptions
): Promise<DrawnPicture> {
  try {
    return await drawnWhole(nodeJobs, progress, one, options)
  } catch (error) {
    if (!isInParts(error)) throw error
    return await drawnInParts(nodeJobs, progress, one, options)
  }
}

async function drawnWhole(
  nodeJobs: PainterComponents['nodeJobs'],
  progress: Progress,
  one: OnePicture,
  options: NodeJobOptions
): Promise<DrawnPicture> {
  const { request, sizes } = one
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
      jobsPerEvent: patienceOf(one)
    },
    options
  )
  const rgb = progress.done ? readPictureResult(result, sizes) : undefined
  if (rgb === undefined) throw wrongResult(route, `no picture of ${sizes.width} × ${sizes.height} in ${steps} steps`)
  return { rgb, route }
}
