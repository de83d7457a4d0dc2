import { type PaintEvent, type PainterComponents, paint } from '@resultity/generation'
import type { AbortOptions, Clock, PictureStart } from '@resultity/interface'
import { BEGUN, type FileService, type JobAnswer, type JobContext } from '@resultity/jobs'
import { type AnswerMetrics, routeHeader } from '@resultity/openai'
import type { PictureCodec } from '@resultity/pictures'
import type { RouteConstraints } from '@resultity/placement'
import { type Job, REQUEST_FILE } from '@resultity/store'
import { type AnsweredPicture, imagesAnswer, jobUsageOf, listedQuality } from './image-answer.ts'
import type { ImagePlan } from './image-plan.ts'
import { PARTIAL, type PartialEntry, STEP, type StepEntry } from './image-view.ts'
import type { PictureInput } from './picture-input.ts'
import { LINK_MS, type PictureLinks } from './picture-links.ts'

export interface ImageRunComponents extends PainterComponents {
  readonly pictures: PictureCodec
  readonly pictureInput: PictureInput
  readonly pictureLinks: PictureLinks
  readonly fileService: Pick<FileService, 'write' | 'requireRoom'>
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
  { job, signal, log, losses }: JobContext
): Promise<JobAnswer> {
  const { plan, routing } = prepared
  const { placeable, id } = plan.model
  const writer = new PictureWriter(components, prepared, job)
  const start = await startOf(components, plan, { namespace: job.namespace, signal })
  const events = paint(
    components,
    { jobId: job.id, model: placeable, routing, pictures: plan.count, ...plan.settings, ...(start && { start }) },
    { signal, workClass: job.class, losses }
  )
  let begun = false
  for await (const event of events) {
    if (!begun) await log.note(BEGUN, { headers: {} })
    begun = true
    if (event.type === 'step' && log.wanted && isTold(event)) await log.note(STEP, stepEntry(event))
    if (event.type === 'preview' && log.wanted) await log.note(PARTIAL, await writer.partial(event, { signal }))
    if (event.type === 'picture') await writer.add(event, { signal })
  }
  const body = imagesAnswer(plan, writer.pictures(), { job, quality: prepared.quality })
  const usage = jobUsageOf(body.usage)
  components.metrics.promptTokens.inc({ model: id }, usage.promptTokens)
  components.metrics.completionTokens.inc({ model: id }, usage.completionTokens)
  return { result: { status: 200, headers: { 'x-resultity-route': writer.routes() }, body }, usage }
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

function stepEntry({ picture, step, steps }: Extract<PaintEvent, { type: 'step' }>) {
  return { index: picture, step, steps } satisfies StepEntry
}

/** Makes files of pictures, and answers of files. */
class PictureWriter {
  readonly #components: ImageRunComponents
  readonly #prepared: PreparedImages
  readonly #job: Job
  readonly #pictures: AnsweredPicture[] = []
  readonly #routes = new Set<string>()
  readonly #partials = new Map<number, number>()

  constructor(components: ImageRunComponents, prepared: PreparedImages, job: Job) {
    this.#components = components
    this.#prepared = prepared
    this.#job = job
  }

  /** @returns what a log keeps of a picture on its way */
  async partial(
    { picture, rgb }: Extract<PaintEvent, { type: 'preview' }>,
    options: AbortOptions
  ): Promise<PartialEntry> {
    const { plan, quality } = this.#prepared
    const partial = this.#partials.get(picture) ?? 0
    this.#partials.set(picture, partial + 1)
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

  /** Keeps one that is done. */
  async add({ picture, rgb, route }: Extract<PaintEvent, { type: 'picture' }>, options: AbortOptions): Promise<void> {
    const { values } = this.#prepared.plan
    const file = await this.#file(rgb, options, JSON.stringify({ ...values, picture }))
    this.#routes.add(routeHeader(route))
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
