import { Readable } from 'node:stream'
import { addRoute, type ById, deletedOf, parseInput, Resource, textPagedListOf, toTextPage } from '@resultity/api-kit'
import { invalidRequest } from '@resultity/interface'
import type { FileService, FileServiceInit } from '@resultity/jobs'
import type { StoredFile } from '@resultity/store'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { dropFiles, type FormLimits, isForm, readForm, withForms } from './form-reader.ts'

export interface FileRouteComponents {
  readonly fileService: FileService
  readonly limits: FileServiceInit
}

/** What OpenAI's clients may say a file is for. Only `batch` is read by anything here. */
const purposes = ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'] as const

const HOUR_SECONDS = 3600
const MONTH_SECONDS = 30 * 24 * HOUR_SECONDS
const FILENAME_CHARACTERS_MAX = 512
const PAGE_MAX = 10_000

/** Fields beside the file, and parts of any kind: more than any client sends. */
const FIELDS_MAX = 16
const FIELD_BYTES_MAX = 4096

const fileSchema = z
  .object({
    id: z.string(),
    object: z.literal('file'),
    bytes: z.int(),
    /** Unix seconds. */
    created_at: z.int(),
    expires_at: z.int().optional(),
    filename: z.string(),
    purpose: z.string(),
    /** Old clients wait for it. */
    status: z.literal('processed')
  })
  .meta({ id: 'File' })

const fileListSchema = textPagedListOf('FileList', fileSchema)

const fieldsSchema = z.looseObject({
  purpose: z.enum(purposes),
  'expires_after[anchor]': z.literal('created_at').optional(),
  'expires_after[seconds]': z.coerce.number().int().min(HOUR_SECONDS).max(MONTH_SECONDS).optional()
})

const uploadSchema = fieldsSchema.extend({ file: z.string().meta({ format: 'binary' }) }).meta({ id: 'FileUpload' })

const listQuerySchema = z.looseObject({
  purpose: z.string().max(64).optional(),
  after: z.string().max(128).optional(),
  order: z.enum(['asc', 'desc']).optional(),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_MAX)
})

const files = new Resource('/v1/files')

const routes = {
  create: files.create({
    id: 'createFile',
    summary: 'Takes a file, as it comes.',
    body: uploadSchema,
    bodyType: 'multipart/form-data',
    json: fileSchema,
    errors: [413, 429, 503, 507]
  }),
  list: files.list({
    id: 'listFiles',
    summary: 'Your files, the newest first.',
    query: listQuerySchema,
    json: fileListSchema,
    errors: [404]
  }),
  retrieve: files.retrieve({ id: 'retrieveFile', summary: 'What is known of a file.', json: fileSchema }),
  remove: files.remove({
    id: 'deleteFile',
    summary: 'Removes a file that no unfinished batch reads.',
    json: deletedOf('file'),
    errors: [400]
  }),
  content: files.part('content', {
    id: 'downloadFile',
    summary: 'The bytes of a file.',
    answers: { 200: { description: 'The bytes.', media: ['application/octet-stream'] } }
  })
}

/** `/v1/files`. */
export function addFileRoutes(server: FastifyInstance, { fileService, limits }: FileRouteComponents): void {
  const form = { fileBytesMax: limits.fileBytesMax, fieldsMax: FIELDS_MAX, fieldBytesMax: FIELD_BYTES_MAX }
  withForms(server, form, scope =>
    addRoute(scope, routes.create, async request => toFile(await receive(fileService, request, form)))
  )
  addRoute(server, routes.list, async request => list(fileService, request))
  addRoute<ById>(server, routes.retrieve, async request => toFile(await own(fileService, request)))
  addRoute<ById>(server, routes.remove, async request => {
    const file = await own(fileService, request)
    await fileService.remove(file)
    return { id: file.id, object: 'file', deleted: true }
  })
  addRoute<ById>(server, routes.content, async (request, reply) => download(fileService, request, reply))
}

async function receive(fileService: FileService, request: FastifyRequest, limits: FormLimits): Promise<StoredFile> {
  if (!isForm(request)) {
    throw invalidRequest(null, 'the body is not multipart/form-data', 'Send the file as a form with "file", "purpose".')
  }
  const { files, fields } = await readForm(fileService, request, limits)
  const [file] = files
  if (file === undefined) throw invalidRequest('file', 'the form has no file', 'Add a part named "file".')
  try {
    const { purpose, 'expires_after[seconds]': seconds } = parseInput(fieldsSchema, Object.fromEntries(fields))
    return await fileService.keep(file.received, {
      namespace: request.caller.namespace,
      filename: file.filename.slice(0, FILENAME_CHARACTERS_MAX),
      purpose,
      ...(seconds === undefined ? {} : { expiresAfterMs: seconds * 1000 })
    })
  } catch (error) {
    await dropFiles(fileService, files)
    throw error
  }
}

async function own(fileService: FileService, request: FastifyRequest<ById>): Promise<StoredFile> {
  return await fileService.find(request.params.id, request.caller.namespace)
}

async function list(fileService: FileService, request: FastifyRequest): Promise<z.infer<typeof fileListSchema>> {
  const { namespace } = request.caller
  const { purpose, after, order, limit } = parseInput(listQuerySchema, request.query)
  if (after !== undefined) await fileService.find(after, namespace)
  const page = await fileService.list({
    namespace,
    limit,
    ...(purpose === undefined ? {} : { purpose }),
    ...(after === undefined ? {} : { after }),
    ...(order === undefined ? {} : { order })
  })
  return toTextPage(page.files.map(toFile), page.hasMore)
}

async function download(
  fileService: FileService,
  request: FastifyRequest<ById>,
  reply: FastifyReply
): Promise<Readable> {
  const file = await own(fileService, request)
  const bytes = fileService.read(file)
  reply.headers({
    'content-type': 'application/octet-stream',
    'content-length': String(file.bytes),
    // whatever it is called, a browser saves it and shows nothing
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(file.filename.toWellFormed())}`
  })
  return Readable.from(bytes)
}

function toFile(file: StoredFile): z.infer<typeof fileSchema> {
  return {
    id: file.id,
    object: 'file',
    bytes: file.bytes,
    created_at: Math.floor(file.createdAtMs / 1000),
    ...(file.expiresAtMs === null ? {} : { expires_at: Math.floor(file.expiresAtMs / 1000) }),
    filename: file.filename,
    purpose: file.purpose,
    status: 'processed'
  }
}
