import { type PaintEvent, type PainterComponents, paint } from '@resultity/generation'
import { type AbortOptions, type Clock, firstStep, type PictureStart } from '@resultity/interface'
import { BEGUN, type JobAnswer, type JobContext } from '@resultity/jobs'
import { type AnswerMetrics, routeHeader } from '@resultity/openai'
import type { PictureCodec } from '@resultity/pictures'
import type { RouteConstraints } from '@resultity/placement'
import { type Job, REQUEST_FILE } from '@resultity/store'
import { type AnsweredPicture, imagesAnswer, jobUsageOf, listedQuality } from './image-answer.ts'
import type { ImagePlan } from './image-plan.ts'
import { PARTIAL, type PartialEntry, RESUMED, STEP, type StepEntry } from './image-view.ts'
import { KeptPictures, type KeptPicturesComponents, type KeptPicturesInit } from './kept-pictures.ts'
import type { PictureInput } from './picture-input.ts'
import { LINK_MS, type PictureLinks } from './picture-links.ts'

export interface ImageRunComponents extends PainterComponents, Omit<KeptPicturesComponents, 'fileService'> {
  readonly pictures: PictureCodec
  readonly pictureInput: PictureInput
  readonly pictureLinks: PictureLinks
  readonly fileService: KeptPicturesComponents['fileService']
  readonly keeping: KeptPicturesInit
  readonly metrics: AnswerMetrics
  readonly clock: Clock
}

/** A request in terms of its model. */
export interface PreparedImages {
  readonly plan: ImagePlan
  readonly routing: RouteConstraints
  /** As it was asked for. */
  readonly quality: string | null
}

/** Steps of one picture that a log tells: more are too fine to see. */
const STEPS_TOLD_MAX = 50

/** One attempt: the pictures are drawn on many nodes at once, and each is written as soon as it is there. */
export async function runImages(
  components: ImageRunComponents,
  prepared: PreparedImages,
  context: JobContext
): Promise<JobAnswer> {
  const { job, signal } = context
  const { plan } = prepared
  const { id } = plan.model
  const writer = new PictureWriter(components, prepared, job)
  const kept = await KeptPictures.open(components, components.keeping, { ...context, plan })
  try {
    await drawAll(components, prepared, { ...context, kept, writer })
  } catch (error) {
    await kept.settle(signal.aborted ? signal.reason : error)
    throw error
  }
  await kept.settle()
  const body = imagesAnswer(plan, writer.pictures(), { job, quality: prepared.quality })
  const usage = jobUsageOf(body.usage)
  components.metrics.promptTokens.inc({ model: id }, usage.promptTokens)
  components.metrics.completionTokens.inc({ model: id }, usage.completionTokens)
  return { result: { status: 200, headers: { 'x-resultity-route': writer.routes() }, body }, usage }
}

interface Drawing extends JobContext {
  readonly kept: KeptPictures
  readonly writer: PictureWriter
}

/** Draws what is left to draw, and tells it. */
async function drawAll(
  components: ImageRunComponents,
  { plan, routing }: PreparedImages,
  { job, signal, log, losses, kept, writer }: Drawing
): Promise<void> {
  const { settings, count: pictures, model } = plan
  const start = await startOf(components, plan, { namespace: job.namespace, signal })
  const done = new Set(kept.files.keys())
  const paintRequest = {
    jobId: job.id,
    model: model.placeable,
    routing,
    pictures,
    begun: kept.states,
    done,
    ...settings
  }
  const options = { signal, workClass: job.class, losses }
  let begun = await tellKept(plan, { log, kept })
  for (const [picture, { file, route }] of kept.files) await writer.keep(picture, { file, route }, { signal })
  for await (const event of paint(components, { ...paintRequest, ...(start && { start }) }, options)) {
    if (!begun) await log.note(BEGUN, { headers: {} })
    begun = true
    if (event.type === 'step') {
      if (log.wanted && isTold(event)) await log.note(STEP, stepEntry(event))
      if (event.state !== undefined) kept.offer(event.picture, event.state)
    }
    if (event.type === 'preview' && log.wanted) await log.note(PARTIAL, await writer.partial(event, { signal }))
    if (event.type === 'picture') {
      const drawn = await writer.add(event, { signal })
      if (pictures > 1) kept.done(event.picture, drawn)
    }
  }
}

/** What an earlier attempt did is in the log, all of it. @returns whether there was something */
async function tellKept(
  { settings, start }: ImagePlan,
  { log, kept }: Pick<Drawing, 'log' | 'kept'>
): Promise<boolean> {
  const { steps } = settings
  const begun = [...kept.states].map(([picture, { step }]) => ({ picture, step }))
  const all = [...begun, ...[...kept.files.keys()].map(picture => ({ picture, step: steps }))]
  if (all.length === 0 || !log.wanted) return false
  await log.note(BEGUN, { headers: {} })
  for (const { picture, step: last } of all) {
    for (let step = firstStep({ steps, start }) + 1; step <= last; step++) {
      if (isTold({ step, steps })) await log.note(STEP, stepEntry({ picture, step, steps }))
    }
    await log.note(RESUMED, stepEntry({ picture, step: last, steps }))
  }
  return true
}

/** The picture that the others begin with, in their size. */
async function startOf(
  { pictureInput }: ImageRunComponents,
  { start, settings }: ImagePlan,
  whose: AbortOptions & { readonly namespace: string }
): Promise<PictureStart | undefined> {
  if (start === undefined) return undefined
  const { image, mask, strength } = start
  const { width, height } = settings
  const fit = { width, height, how: 'cover' } as const
  const place = { ...whose, param: 'image' }
  const { rgb } = await pictureInput.decode(image, place, fit)
  if (mask === undefined) return { strength, rgb }
  const of = await pictureInput.head(image, place)
  return { strength, rgb, mask: await pictureInput.decodeMask(mask, { ...whose, param: 'mask' }, { of, fit }) }
}

/** Evenly, and the last one. */
function isTold({ step, steps }: { readonly step: number; readonly steps: number }): boolean {
  const share = Math.min(STEPS_TOLD_MAX, steps)
  return Math.floor((step * share) / steps) > Math.floor(((step - 1) * share) / steps)
}

function stepEntry({
  picture,
  step,
  steps
}: Pick<Extract<PaintEvent, { type: 'step' }>, 'picture' | 'step' | 'steps'>) {
  return { index: picture, step, steps } satisfies StepEntry
}

/** A picture's file, and who drew it, as answers say it. */
interface WrittenPicture {
  readonly file: Uint8Array
  readonly route: string
}

/** Makes files of pictures, and answers of files. */
class PictureWriter {
  readonly #components: ImageRunComponents
  readonly #prepared: PreparedImages
  readonly #job: Job
  readonly #pictures: AnsweredPicture[] = []
  readonly #routes = new Set<string>()

  constructor(components: ImageRunComponents, prepared: PreparedImages, job: Job) {
    this.#components = components
    this.#prepared = prepared
    this.#job = job
  }

  /** @returns what a log keeps of a picture on its way */
  async partial(
    { picture, step, rgb }: Extract<PaintEvent, { type: 'preview' }>,
    options: AbortOptions
  ): Promise<PartialEntry> {
    const { plan, quality } = this.#prepared
    const partial = plan.settings.previews.indexOf(step)
    return {
      index: picture,
      partial,
      b64_json: base64(await this.#file(rgb, options)),
      created_at: Math.floor(this.#components.clock.now() / 1000),
      size: plan.values.size,
      quality: listedQuality(quality) ?? null,
      output_format: plan.format
    }
  }

  /** Keeps one that is done. @returns what {@link keep} takes */
  async add(
    { picture, rgb, route }: Extract<PaintEvent, { type: 'picture' }>,
    options: AbortOptions
  ): Promise<WrittenPicture> {
    const { values } = this.#prepared.plan
    const file = await this.#file(rgb, options, JSON.stringify({ ...values, picture }))
    const written = { file, route: routeHeader(route) }
    await this.keep(picture, written, options)
    return written
  }

  /** Keeps the file of one that is done. */
  async keep(picture: number, { file, route }: WrittenPicture, options: AbortOptions): Promise<void> {
    this.#routes.add(route)
    this.#pictures[picture] = await this.#answered(picture, file, options)
  }

  /** In the order of their numbers. */
  pictures(): readonly AnsweredPicture[] {
    return this.#pictures
  }

  /** Who drew them. */
  routes(): string {
    return [...this.#routes].join(', ')
  }

  async #file(rgb: Uint8Array, options: AbortOptions, text?: string): Promise<Uint8Array> {
    const { settings, format, quality } = this.#prepared.plan
    const { width, height } = settings
    const how = { format, quality, ...options, ...(text !== undefined && { text }) }
    return await this.#components.pictures.encode({ width, height, rgb }, how)
  }

  async #answered(picture: number, file: Uint8Array, options: AbortOptions): Promise<AnsweredPicture> {
    const { linkBase, format } = this.#prepared.plan
    if (linkBase === undefined) return { b64_json: base64(file) }
    const { fileService, pictureLinks } = this.#components
    const { namespace, id } = this.#job
    await fileService.requireRoom(namespace)
    const stored = await fileService.write(
      // another attempt at this request writes it again
      id.replace(/^req_/, 'file-').concat(`-out-${picture}`),
      oneChunk(file),
      { namespace, filename: `picture-${picture}.${format}`, purpose: REQUEST_FILE, expiresAfterMs: LINK_MS },
      options
    )
    return { url: pictureLinks.link(stored, linkBase) }
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
