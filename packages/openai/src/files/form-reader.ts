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

/** Whether a request's body is a form, by its heading. */
export function isForm(request: FastifyRequest): boolean {
  return request.isMultipart()
}

/**
 * Reads a form; its file may come before the fields that say what it is, so its bytes are stored first.
 *
 * @param limits those that {@link withForms} was given
 * @throws MeshError `invalid_request` for what is no form, a file of another name than `file`, two files, too many fields, or
 *   a file or field that is too large; `storage_quota_exceeded`; `storage_low`. Nothing is stored then
 */
export async function readForm(
  fileService: FileService,
  request: FastifyRequest,
  limits: FormLimits
): Promise<ReadForm> {
  const fields: [string, unknown][] = []
  let file: ReceivedFile | undefined
  let filename = ''
  try {
    for await (const part of request.parts()) {
      if (isFile(part)) {
        file = await spool(fileService, part, request, limits)
        filename = part.filename
      } else {
        // the parser only cuts it off
        if (part.valueTruncated) throw fieldTooLarge(part.fieldname, limits)
        fields.push([part.fieldname, part.value])
      }
    }
    return { fields, file, filename }
  } catch (error) {
    if (file !== undefined) await fileService.drop(file)
    // what is still on its way has to go somewhere, or the client never reads why it was refused
    request.raw.unpipe()
    request.raw.resume()
    throw formError(error, limits)
  }
}

function isFile(part: Multipart): part is MultipartFile {
  return part.type === 'file'
}

async function spool(
  fileService: FileService,
  part: MultipartFile,
  { caller, headers }: FastifyRequest,
  limits: FormLimits
): Promise<ReceivedFile> {
  if (part.fieldname !== 'file') {
    part.file.resume()
    throw invalidRequest(part.fieldname.slice(0, 64), 'a file came under another name', 'Name its part "file".')
  }
  const received = await fileService.receive(part.file, caller.namespace, Number(headers['content-length'] ?? 1))
  if (!part.file.truncated) return received
  await fileService.drop(received)
  throw fileTooLarge(limits)
}

/** What the parser says by these codes, in our terms. */
const LIMITS_REACHED: Readonly<Record<string, (limits: FormLimits) => MeshError>> = {
  FST_FILES_LIMIT: () => tooLarge('file', 'the form has more than one file', 'Send each file in a request of its own.'),
  FST_FIELDS_LIMIT: ({ fieldsMax }) =>
    tooLarge(null, `the form has more than ${fieldsMax} fields`, 'Leave out fields that the endpoint does not know.'),
  FST_PARTS_LIMIT: ({ fieldsMax }) =>
    tooLarge(null, 'the form has too many parts', `Send one file and at most ${fieldsMax} fields.`),
  FST_REQ_FILE_TOO_LARGE: fileTooLarge
}

/** The parser's complaints, in our terms. */
function formError(error: unknown, limits: FormLimits): MeshError {
  if (error instanceof MeshError) return error
  const { code = '', statusCode, message } = error as Partial<Error & { code: string; statusCode: number }>
  const reached = LIMITS_REACHED[code]
  if (reached !== undefined) return reached(limits)
  if (statusCode === 413) return tooLarge(null, `the form is too large: ${message}`, 'Send less in one form.')
  if (statusCode !== undefined && statusCode < 500) return invalidRequest(null, `the form cannot be read: ${message}`)
  // broken off, or no form behind its heading
  return invalidRequest(null, `the form cannot be read: ${MeshError.from(error).message}`, 'Send it again.')
}

function fileTooLarge({ fileBytesMax }: FormLimits): MeshError {
  return tooLarge('file', `the file is larger than ${fileBytesMax} bytes`, 'Split it into several files.')
}

function fieldTooLarge(name: string, { fieldBytesMax }: FormLimits): MeshError {
  const param = name.slice(0, 64)
  return tooLarge(param, `the field "${param}" is longer than ${fieldBytesMax} bytes`, 'Send a shorter one.')
}

function tooLarge(param: string | null, message: string, hint: string): MeshError {
  return new MeshError('invalid_request', message, {
    hint,
    details: { param, reason: 'request_too_large' }
  })
}
