import multipart, { type Multipart, type MultipartFile } from '@fastify/multipart'
import { invalidRequest, MeshError } from '@resultity/interface'
import type { FileService, ReceivedFile } from '@resultity/jobs'
import type { FastifyInstance, FastifyRequest } from 'fastify'

export interface FormLimits {
  /** Of the file. */
  readonly fileBytesMax: number
  /** Fields beside the file: more than any client sends. */
  readonly fieldsMax: number
  /** Of one field. */
  readonly fieldBytesMax: number
}

/** A form with one file, whose bytes are stored and count in their namespace. */
export interface ReadForm {
  /** Fields as they came, also those that came several times. */
  readonly fields: readonly (readonly [name: string, value: unknown])[]
  readonly file: ReceivedFile | undefined
  /** What the client calls the file; empty where it does not say. */
  readonly filename: string
}

/** Lets the routes that `add` adds take forms: everywhere else a form is no JSON. */
export function withForms(
  server: FastifyInstance,
  { fileBytesMax, fieldsMax, fieldBytesMax }: FormLimits,
  add: (scope: FastifyInstance) => void
): void {
  server.register(async scope => {
    await scope.register(multipart, {
      limits: { fileSize: fileBytesMax, files: 1, fields: fieldsMax, fieldSize: fieldBytesMax }
    })
    add(scope)
  })
}

/**
 * Reads a form; its file may come before the fields that say what it is, so its bytes are stored first.
 *
 * @throws MeshError `invalid_request` for what is no form, a file of another name than `file`, two files, or one that is too
 *   large; `storage_quota_exceeded`; `storage_low`. Nothing is stored then
 */
export async function readForm(
  fileService: FileService,
  request: FastifyRequest,
  { fileBytesMax }: Pick<FormLimits, 'fileBytesMax'>
): Promise<ReadForm> {
  const fields: [string, unknown][] = []
  let file: ReceivedFile | undefined
  let filename = ''
  try {
    for await (const part of request.parts()) {
      if (isFile(part)) {
        file = await spool(fileService, part, request, fileBytesMax)
        filename = part.filename
      } else {
        fields.push([part.fieldname, part.value])
      }
    }
    return { fields, file, filename }
  } catch (error) {
    if (file !== undefined) await fileService.drop(file)
    letGo(request)
    throw formError(error)
  }
}

/** What is still on its way has to go somewhere, or the client never reads why it was refused. */
export function letGo({ raw }: FastifyRequest): void {
  raw.unpipe()
  raw.resume()
}

function isFile(part: Multipart): part is MultipartFile {
  return part.type === 'file'
}

async function spool(
  fileService: FileService,
  part: MultipartFile,
  { caller, headers }: FastifyRequest,
  fileBytesMax: number
): Promise<ReceivedFile> {
  if (part.fieldname !== 'file') {
    part.file.resume()
    throw invalidRequest(part.fieldname.slice(0, 64), 'a file came under another name', 'Name its part "file".')
  }
  const received = await fileService.receive(part.file, caller.namespace, Number(headers['content-length'] ?? 1))
  if (!part.file.truncated) return received
  await fileService.drop(received)
  throw tooLarge('file', `the file is larger than ${fileBytesMax} bytes`)
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
