import { Readable } from 'node:stream'
import multipart, { type Multipart, type MultipartFile } from '@fastify/multipart'
import { addRoute, type ById, deletedOf, parseInput, Resource, textPagedListOf, toTextPage } from '@resultity/api-kit'
import { invalidRequest, MeshError } from '@resultity/interface'
import type { FileService, FileServiceInit, ReceivedFile } from '@resultity/jobs'
import type { StoredFile } from '@resultity/store'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'

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
  // a scope of its own: everywhere else a form is no JSON
  server.register(async scope => {
    await scope.register(multipart, {
      limits: { fileSize: limits.fileBytesMax, files: 1, fields: FIELDS_MAX, fieldSize: FIELD_BYTES_MAX }
    })
    addRoute(scope, routes.create, async request => toFile(await receive(fileService, request, limits)))
  })
  addRoute(server, routes.list, async request => list(fileService, request))
  addRoute<ById>(server, routes.retrieve, async request => toFile(await own(fileService, request)))
  addRoute<ById>(server, routes.remove, async request => {
    const file = await own(fileService, request)
    await fileService.remove(file)
    return { id: file.id, object: 'file', deleted: true }
  })
  addRoute<ById>(server, routes.content, async (request, reply) => download(fileService, request, reply))
}

/** The file may come before the fields that say what it is: its bytes are stored first. */
async function receive(
  fileService: FileService,
  request: FastifyRequest,
  limits: FileServiceInit
): Promise<StoredFile> {
  if (!request.isMultipart()) {
    throw invalidRequest(null, 'the body is not multipart/form-data', 'Send the file as a form with "file", "purpose".')
  }
  const fields: Record<string, unknown> = {}
  let received: { readonly file: ReceivedFile; readonly filename: string } | undefined
  try {
    for await (const part of request.parts()) {
      if (isFile(part)) received = { file: await spool(fileService, part, request, limits), filename: part.filename }
      else fields[part.fieldname] = part.value
    }
    if (received === undefined) throw invalidRequest('file', 'the form has no file', 'Add a part named "file".')
    const { purpose, 'expires_after[seconds]': seconds } = parseInput(fieldsSchema, fields)
    return await fileService.keep(received.file, {
      namespace: request.caller.namespace,
      filename: received.filename.slice(0, FILENAME_CHARACTERS_MAX),
      purpose,
      ...(seconds === undefined ? {} : { expiresAfterMs: seconds * 1000 })
    })
  } catch (error) {
    if (received !== undefined) await fileService.drop(received.file)
    // what is still on its way has to go somewhere, or the client never reads why
    request.raw.unpipe()
    request.raw.resume()
    throw formError(error)
  }
}

function isFile(part: Multipart): part is MultipartFile {
  return part.type === 'file'
}

async function spool(
  fileService: FileService,
  part: MultipartFile,
  { caller, headers }: FastifyRequest,
  limits: FileServiceInit
): Promise<ReceivedFile> {
  if (part.fieldname !== 'file') {
    part.file.resume()
    throw invalidRequest(part.fieldname.slice(0, 64), 'a file came under another name', 'Name its part "file".')
  }
  const received = await fileService.receive(part.file, caller.namespace, Number(headers['content-length'] ?? 1))
  if (!part.file.truncated) return received
  await fileService.drop(received)
  throw tooLarge('file', `the file is larger than ${limits.fileBytesMax} bytes`)
}

/** The parser's complaints, in our terms. */
function formError(error: unknown): MeshError {
  if (error instanceof MeshError) return error
  const { statusCode, message } = error as Partial<Error & { statusCode: number }>
  if (statusCode === 413) return tooLarge(null, `the form is too large: ${message}`)
  if (statusCode !== undefined && statusCode < 500) return invalidRequest(null, `the form cannot be read: ${message}`)
  // broken off, or no form behind its heading
  return invalidRequest(null, `the form cannot be read: ${MeshError.from(error).message}`, 'Send it again.')
}

function tooLarge(param: string | null, message: string): MeshError {
  return new MeshError('invalid_request', message, {
    hint: 'Split it.',
    details: { param, reason: 'request_too_large' }
  })
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
