import { DEFAULT_AUDIO_LIMITS } from '@resultity/audio'
import { invalidRequest, MeshError } from '@resultity/interface'
import type { FileService, JobRuntime } from '@resultity/jobs'
import { addJobRoute, type HttpEndpoint, isForm, readForm, withForms } from '@resultity/openai'
import { isFinal, type JobStore } from '@resultity/store'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { bodyOfForm } from './form-fields.ts'

/** More than any client sends, and a prompt. */
const FORM = { fileBytesMax: DEFAULT_AUDIO_LIMITS.bytesMax, fieldsMax: 64, fieldBytesMax: 65_536 }

/** A recording that nobody asks for any more goes by itself, so long after the longest wait of its request. */
const LEFT_OVER_MS = 24 * 60 * 60_000

const FILENAME_CHARACTERS_MAX = 512

type JobRouteComponents = Parameters<typeof addJobRoute>[1]

export interface RecordingFormComponents extends JobRouteComponents {
  readonly fileService: FileService
  readonly store: JobStore
}

/**
 * Adds routes whose requests come as forms with a recording, or as JSON with the id of a file. A recording is stored for as
 * long as its request has not ended.
 */
export function addRecordingRoutes(
  server: FastifyInstance,
  components: RecordingFormComponents,
  endpoints: readonly HttpEndpoint[],
  { detachedWaitMs }: { readonly detachedWaitMs: number }
): void {
  const keptMs = detachedWaitMs + LEFT_OVER_MS
  withForms(server, FORM, scope => {
    scope.addHook('preHandler', async request => {
      if (isForm(request)) await takeForm(components.fileService, request, keptMs)
    })
    scope.addHook('onResponse', async request => {
      if (request.sent !== undefined) await forgetUnlessNeeded(components, request.id)
    })
    for (const endpoint of endpoints) addJobRoute(scope, components, endpoint)
  })
}

/** Removes the recordings of requests that end here. @returns stops watching */
export function removeRecordingsWithRequests(
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

/** The form becomes the body that JSON would be, with the id of its stored recording. */
async function takeForm(fileService: FileService, request: FastifyRequest, keptMs: number): Promise<void> {
  const { fields, file, filename } = await readForm(fileService, request, FORM)
  try {
    const body = bodyOfForm(fields)
    if (file === undefined) {
      request.body = body
      return
    }
    if (body.file !== undefined)
      throw invalidRequest('file', 'the form has a file and the name of one', 'Send one of them.')
    const { id } = await fileService.keepFor(request.id, file, {
      namespace: request.caller.namespace,
      filename: filename.slice(0, FILENAME_CHARACTERS_MAX),
      expiresAfterMs: keptMs
    })
    request.body = { ...body, file: id }
    // the same recording sent again is the same request
    request.sent = { ...body, file: file.content.sha256 }
  } catch (error) {
    if (file !== undefined && request.sent === undefined) await fileService.drop(file)
    throw error
  }
}

/** A request that was refused, or that repeats another, has no job that reads its recording. */
async function forgetUnlessNeeded({ store, fileService }: RecordingFormComponents, requestId: string): Promise<void> {
  const job = await store.get(requestId)
  if (job === undefined || isFinal(job.state)) await fileService.removeOf(requestId)
}
