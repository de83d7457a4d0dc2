import { MeshError } from '@resultity/interface'
import type { FileService, JobRuntime } from '@resultity/jobs'
import { isFinal, type JobStore } from '@resultity/store'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { addJobRoute, type HttpEndpoint, type JobRouteComponents } from '../requests/job-routes.ts'
import { bodyOfForm, type FormFields } from './form-fields.ts'
import { dropFiles, type FormFile, type FormLimits, isForm, readForm, withForms } from './form-reader.ts'

/** A file of a form, by the id of what was stored. */
export interface SentFile {
  /** Of its part, without the brackets of a list. */
  readonly name: string
  readonly id: string
}

/** How forms of some routes become bodies of JSON. */
export interface JobForm extends FormLimits {
  readonly kinds: FormFields
  /**
   * The body that JSON would be: its fields, and its files by their ids.
   * @throws MeshError `invalid_request`
   */
  bodyOf(fields: Readonly<Record<string, unknown>>, files: readonly SentFile[]): Record<string, unknown>
}

export interface FormJobComponents extends JobRouteComponents {
  readonly fileService: FileService
  readonly store: JobStore
}

/** A file that nobody asks for any more goes by itself, so long after the longest wait of its request. */
const LEFT_OVER_MS = 24 * 60 * 60_000

const FILENAME_CHARACTERS_MAX = 512

/**
 * Adds routes whose requests come as forms with files, or as JSON. Files are stored for as long as their request has not ended:
 * see {@link removeFilesWithRequests}.
 */
export function addFormJobRoutes(
  server: FastifyInstance,
  components: FormJobComponents,
  endpoints: readonly HttpEndpoint[],
  { form, detachedWaitMs }: { readonly form: JobForm; readonly detachedWaitMs: number }
): void {
  const keptMs = detachedWaitMs + LEFT_OVER_MS
  withForms(server, form, scope => {
    scope.addHook('preHandler', async request => {
      if (isForm(request)) await takeForm(components.fileService, request, form, keptMs)
    })
    scope.addHook('onResponse', async request => {
      if (request.sent !== undefined) await forgetUnlessNeeded(components, request.id)
    })
    for (const endpoint of endpoints) addJobRoute(scope, components, endpoint)
  })
}

/** Removes the files of requests that end here. @returns stops watching */
export function removeFilesWithRequests(
  runtime: JobRuntime,
  fileService: FileService,
  paths: ReadonlySet<string>,
  onError: (error: MeshError) => void
): () => void {
  return runtime.onEnd(job => {
    if (!paths.has(job.endpoint)) return
    fileService.removeOf(job.id).catch((error: unknown) => onError(MeshError.from(error)))
  })
}

/** The form becomes the body that JSON would be, with the ids of its stored files. */
async function takeForm(
  fileService: FileService,
  request: FastifyRequest,
  form: JobForm,
  keptMs: number
): Promise<void> {
  const { fields, files } = await readForm(fileService, request, form)
  const waiting = [...files]
  try {
    const body = bodyOfForm(fields, form.kinds)
    // the same files sent again are the same request
    const sent = files.map(({ name, received }) => ({ name, id: received.content.sha256 }))
    if (files.length > 0) request.sent = form.bodyOf(body, sent)
    const kept: SentFile[] = []
    for (let file = waiting[0]; file !== undefined; file = waiting[0]) {
      const { id } = await keep(fileService, request, file, { index: kept.length, expiresAfterMs: keptMs })
      kept.push({ name: file.name, id })
      waiting.shift()
    }
    request.body = form.bodyOf(body, kept)
  } catch (error) {
    await dropFiles(fileService, waiting)
    throw error
  }
}

async function keep(
  fileService: FileService,
  { id, caller }: FastifyRequest,
  { received, filename }: FormFile,
  { index, expiresAfterMs }: { readonly index: number; readonly expiresAfterMs: number }
) {
  const file = { namespace: caller.namespace, filename: filename.slice(0, FILENAME_CHARACTERS_MAX), expiresAfterMs }
  return await fileService.keepFor(id, received, file, index)
}

/** A request that was refused, or that repeats another, has no job that reads its files. */
async function forgetUnlessNeeded({ store, fileService }: FormJobComponents, requestId: string): Promise<void> {
  const job = await store.get(requestId)
  if (job === undefined || isFinal(job.state)) await fileService.removeOf(requestId)
}
