import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import {
  type PictureEvent,
  type PictureJob,
  readPictureJob,
  writePictureEvent,
  writePictureResult
} from '@resultity/interface'
import { PictureCodec } from '@resultity/pictures'
import { openAiErrors } from '@resultity/test-api'
import type { ScriptedJob } from '@resultity/test-nodes'
import type { Test } from 'tap'
import { type JobMesh, type JobScript, startJobMesh } from './job-mesh.ts'

const fixtures = join(import.meta.dirname, '../../../..')
const models = ['diffusion-model/test/fixtures/tiny-sd', 'model/test/fixtures/tiny-encoder']

/** Draws squares of 64 pixels a side, in multiples of 4. */
export const PAINTER = 'tiny-sd'
export const GENERATIONS = '/v1/images/generations'
export const EDITS = '/v1/images/edits'
export const VARIATIONS = '/v1/images/variations'

export type Rgb = readonly [red: number, green: number, blue: number]

export const codec = new PictureCodec()

/** Pixels of one colour. */
export function plain({ width, height }: { readonly width: number; readonly height: number }, colour: Rgb): Uint8Array {
  return Uint8Array.from({ length: 3 * width * height }, (_, at) => colour[at % 3] ?? 0)
}

export const pictureJobOf = ({ request }: ScriptedJob): PictureJob => readPictureJob(request.body)

/** Whatever a node draws: a colour for each picture, and a grey for each step that is shown. */
export const colourOf = (picture: number): Rgb => [40 * picture, 100, 200]

/** Draws step by step, as a node does. @param before each step */
export function drawing(before: (job: PictureJob, step: number) => Promise<void> | void = () => {}): JobScript {
  return async scripted => {
    const job = pictureJobOf(scripted)
    let sequence = 0
    const tell = (event: PictureEvent) =>
      scripted.send({ type: 'chunk', sequence: sequence++, chunk: writePictureEvent(event) })
    await scripted.send({ type: 'started', sequence: sequence++ })
    const skipped = job.start === undefined ? 0 : job.steps - Math.floor(job.steps * job.start.strength)
    for (let step = skipped + 1; step <= job.steps; step++) {
      await before(job, step)
      if (job.previews.includes(step)) await tell({ type: 'preview', step, rgb: plain(job, [step, step, step]) })
      await tell({ type: 'step', step })
    }
    const result = writePictureResult(plain(job, colourOf(job.picture)), job)
    await scripted.send({ type: 'result', sequence, result })
  }
}

export type FormValue = string | Blob | readonly (string | Blob)[]

export interface Sent {
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

export interface ImageMesh extends JobMesh {
  /** Default path: generations. */
  post(body: unknown, sent?: Sent): Promise<Response>
  /** Default path: edits. */
  postForm(fields: Record<string, FormValue>, sent?: Sent): Promise<Response>
}

/** A coordinator with a model that draws, and one node that does what a script says. */
export async function startImageMesh(t: Test): Promise<ImageMesh> {
  const mesh = await startJobMesh(t, 1, drawing(), { models: models.map(path => `file:${join(fixtures, path)}`) })
  return Object.assign(mesh, {
    post: (body: unknown, { path = GENERATIONS, headers, ...options }: Sent = {}) =>
      fetch(`${mesh.url}${path}`, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...options,
        headers: { 'content-type': 'application/json', ...headers }
      }),
    postForm: (fields: Record<string, FormValue>, { path = EDITS, ...options }: Sent = {}) =>
      fetch(`${mesh.url}${path}`, { method: 'POST', body: formOf(fields), ...options })
  })
}

function formOf(fields: Record<string, FormValue>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value].flat() as (string | Blob)[]) {
      if (one instanceof Blob) form.append(name, one, 'photo.png')
      else form.append(name, one)
    }
  }
  return form
}

/** The body of an answer that is as OpenAI describes it. */
export async function answered(t: Test, response: Response) {
  const body = await response.json()
  t.equal(response.status, 200, JSON.stringify(body).slice(0, 400))
  t.same(openAiErrors('ImagesResponse', body), [])
  return body
}

/** The data of the events of a stream. */
export async function eventsOf(response: Response) {
  const events = [...(await response.text()).matchAll(/^data: (.*)$/gm)]
  return events.map(([, data]) => JSON.parse(data ?? ''))
}

/** The size of a picture, and its first pixel. @param file bytes, or base64 */
export async function pixelsOf(file: Uint8Array | string) {
  const bytes = typeof file === 'string' ? Buffer.from(file, 'base64') : file
  const { width, height, rgb } = await codec.decode(bytes, { param: 'image' })
  return { width, height, colour: Array.from(rgb.subarray(0, 3)) }
}

/** A PNG of red, green, blue and alpha, which nothing here writes otherwise. */
export function rgbaPng(width: number, height: number, alphaOf: (x: number, y: number) => number): Blob {
  const rows = Buffer.alloc(height * (1 + 4 * width))
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (1 + 4 * width) + 4 * x + 4] = alphaOf(x, y)
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  // eight bits, with alpha
  head.set([8, 6], 8)
  const parts = [chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]
  return new Blob([new Uint8Array(Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts]))])
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(named.length + 8)
  framed.writeUInt32BE(data.length, 0)
  named.copy(framed, 4)
  framed.writeUInt32BE(crc32(named), 4 + named.length)
  return framed
}
