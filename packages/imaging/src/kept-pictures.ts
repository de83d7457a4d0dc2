import { createHash } from 'node:crypto'
import { pictureSizes } from '@resultity/generation'
import {
  firstStep,
  MeshError,
  type PictureSizes,
  type PictureState,
  pictureEventBytesMax,
  type Scheduler
} from '@resultity/interface'
import { type FileService, type JobContext, jobBodyOf } from '@resultity/jobs'
import { type Job, REQUEST_FILE } from '@resultity/store'
import { fileBytes, type ImagePlan } from './image-plan.ts'
import { PICTURES_OUT_MAX } from './image-schema.ts'
import { KEPT_HEAD_BYTES_MAX, type Kept, readKept, writeKept } from './kept-picture.ts'

export interface KeptPicturesComponents {
  readonly fileService: Pick<FileService, 'write' | 'requireRoom' | 'findInUse' | 'read' | 'discard'>
  readonly scheduler: Scheduler
  /** Something was not kept: the pictures are drawn all the same, and may begin anew after a crash. */
  onUnkept(error: MeshError): void
}

export interface KeptPicturesInit {
  /** From one state of a picture that is written to the next. */
  readonly pictureStateMs: number
}

/** The longest time that a request waits to be taken up again with what was kept of it. */
const KEPT_MS = 25 * 60 * 60_000

/**
 * How far the pictures of a job are, kept as files of its request for an attempt after this coordinator's end: of each picture the newest
 * state or, where there are several, the picture itself. Only of jobs that go on by themselves.
 */
export class KeptPictures {
  readonly #components: KeptPicturesComponents
  readonly #context: Pick<JobContext, 'job' | 'log'>
  readonly #everyMs: number
  readonly #plan: string
  readonly #keeps: boolean
  readonly #states = new Map<number, PictureState>()
  readonly #files = new Map<number, Extract<Kept, { type: 'file' }>>()
  /** Not written yet: the newest of each picture. */
  readonly #waiting = new Map<number, Kept>()
  readonly #writtenAt = new Map<number, number>()
  readonly #beganAt: number
  #writing: Promise<void> | undefined

  private constructor(components: KeptPicturesComponents, { pictureStateMs }: KeptPicturesInit, context: KeptJob) {
    this.#components = components
    this.#context = context
    this.#everyMs = pictureStateMs
    this.#plan = digestOf(context.plan)
    this.#keeps = jobBodyOf(context.job).detached
    this.#beganAt = components.scheduler.monotonic()
  }

  /** Reads what earlier attempts at the job have kept. What cannot be read is drawn again. @throws the signal's reason */
  static async open(
    components: KeptPicturesComponents,
    init: KeptPicturesInit,
    context: KeptJob
  ): Promise<KeptPictures> {
    const kept = new KeptPictures(components, init, context)
    if (kept.#keeps && context.job.attempts > 1) await kept.#read(context)
    return kept
  }

  /** Pictures that are begun, by their numbers. */
  get states(): ReadonlyMap<number, PictureState> {
    return this.#states
  }

  /** Pictures that are done. */
  get files(): ReadonlyMap<number, Extract<Kept, { type: 'file' }>> {
    return this.#files
  }

  /** A picture has got further. It is written when it is due, behind what is being written. */
  offer(picture: number, state: PictureState): void {
    if (!this.#keeps) return
    this.#waiting.set(picture, { type: 'state', state })
    this.#write()
  }

  /** A picture is done, and others are not. */
  done(picture: number, file: Omit<Extract<Kept, { type: 'file' }>, 'type'>): void {
    if (!this.#keeps) return
    this.#waiting.set(picture, { type: 'file', ...file })
    this.#write()
  }

  /** Resolves when nothing is being written any more. @param error why there is to be another attempt, which gets all that is known */
  async settle(error?: unknown): Promise<void> {
    // nobody goes on, or another coordinator with what it has read
    const over = error === undefined || ['canceled', 'job_lease_lost'].includes(MeshError.from(error).code)
    if (over) this.#waiting.clear()
    await this.#writing
    await this.#drain(() => [...this.#waiting][0])
  }

  /** Writes what is due, one after the other. */
  #write(): void {
    if (this.#writing !== undefined || this.#next() === undefined) return
    this.#writing = this.#drain(() => this.#next()).finally(() => {
      this.#writing = undefined
      this.#write()
    })
  }

  #next(): readonly [number, Kept] | undefined {
    const nowMs = this.#components.scheduler.monotonic()
    return [...this.#waiting].find(([picture, { type }]) => {
      const since = this.#writtenAt.get(picture) ?? this.#beganAt
      return type === 'file' || nowMs - since >= this.#everyMs
    })
  }

  /** Never rejects. */
  async #drain(next: () => readonly [number, Kept] | undefined): Promise<void> {
    for (let one = next(); one !== undefined; one = next()) {
      const [picture, kept] = one
      this.#waiting.delete(picture)
      try {
        await this.#store(picture, kept)
      } catch (error) {
        const known = MeshError.from(error)
        if (known.code !== 'job_lease_lost') this.#components.onUnkept(known)
      }
      this.#writtenAt.set(picture, this.#components.scheduler.monotonic())
    }
  }

  async #store(picture: number, kept: Kept): Promise<void> {
    const { fileService } = this.#components
    const { job, log } = this.#context
    const { namespace } = job
    // what an attempt leaves out that begins behind it was told for good
    await log.flush()
    await fileService.requireRoom(namespace)
    const file = { namespace, filename: `picture-${picture}.kept`, purpose: REQUEST_FILE, expiresAfterMs: KEPT_MS }
    await fileService.write(keptId(job, picture), oneChunk(writeKept(kept, this.#plan)), file, {})
  }

  async #read({ job, plan, signal }: KeptJob): Promise<void> {
    const { model, settings, start, count } = plan
    const { manifest } = model.placeable
    if (manifest.architecture !== 'diffusion') return
    const asked = { ...settings, ...(start && { start }) }
    const sizes = pictureSizes(manifest, asked)
    const first = firstStep(asked)
    for (let picture = 0; picture < count; picture++) {
      const bytes = await this.#bytesOf(job, picture, keptBytesMax(plan, sizes), signal)
      const kept = bytes && readKept(bytes, this.#plan, sizes)
      if (kept?.type === 'file') this.#files.set(picture, kept)
      if (kept?.type !== 'state') continue
      const { step } = kept.state
      if (step > first && step <= settings.steps) this.#states.set(picture, kept.state)
    }
  }

  /** @returns undefined where there is nothing, or nothing that could have been written here */
  async #bytesOf(job: Job, picture: number, bytesMax: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { fileService } = this.#components
    try {
      const file = await fileService.findInUse(keptId(job, picture), job.namespace)
      if (file.bytes > bytesMax) return undefined
      const chunks: Uint8Array[] = []
      for await (const chunk of fileService.read(file, { signal })) chunks.push(chunk)
      return Buffer.concat(chunks)
    } catch (error) {
      signal.throwIfAborted()
      const known = MeshError.from(error)
      // another coordinator may keep files elsewhere
      if (known.code !== 'not_found') this.#components.onUnkept(known)
      return undefined
    }
  }
}

/** A job, and what it draws. */
export interface KeptJob extends Pick<JobContext, 'job' | 'log' | 'signal'> {
  readonly plan: ImagePlan
}

/** Removes what was kept of a job that has ended. */
export async function forgetKept(fileService: Pick<FileService, 'discard'>, job: Job): Promise<void> {
  const { detached, request } = jobBodyOf(job)
  if (!detached) return
  const count = request !== null && typeof request === 'object' && 'n' in request ? Number(request.n ?? 1) : 1
  for (let picture = 0; picture < Math.min(count, PICTURES_OUT_MAX); picture++) {
    await fileService.discard(keptId(job, picture))
  }
}

function keptId({ id }: Job, picture: number): string {
  return id.replace(/^req_/, 'file-').concat(`-kept-${picture}`)
}

/** What another model, or another request, has drawn is of no use. */
function digestOf({ model, settings, start, format, quality }: ImagePlan): string {
  const { prompt, ...rest } = settings
  const drawn = {
    manifest: model.placeable.manifestSha256,
    prompt,
    ...rest,
    strength: start?.strength,
    format,
    quality
  }
  return createHash('sha256').update(JSON.stringify(drawn)).digest('hex')
}

function keptBytesMax({ settings, format }: ImagePlan, { width, height, latentValues }: PictureSizes): number {
  const most = Math.max(pictureEventBytesMax(width * height, latentValues), fileBytes(settings, format))
  return most + KEPT_HEAD_BYTES_MAX + 64
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
