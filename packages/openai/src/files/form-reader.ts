import multipart, { type Multipart, type MultipartFile } from '@fastify/multipart'
import { invalidRequest, MeshError } from '@resultity/interface'
import type { FileService, ReceivedFile } from '@resultity/jobs'
import type { FastifyInstance, FastifyRequest } from 'fastify'

export interface FormLimits {
  /** Names of parts that are files. Default "file". */
  readonly fileNames?: readonly string[]
  /** Default 1. */
  readonly filesMax?: number
  /** Of each file. */
  readonly fileBytesMax: number
  /** Fields beside the files: more than any client sends. */
  readonly fieldsMax: number
  /** Of one field. */
  readonly fieldBytesMax: number
}

/** A file of a form, whose bytes are stored and count in their namespace. */
export interface FormFile {
  /** Of its part, without the brackets of a list. */
  readonly name: string
  /** What the client calls the file; empty where it does not say. */
  readonly filename: string
  readonly received: ReceivedFile
}

/** A form with its files, in the order in which they came. */
export interface ReadForm {
  /** Fields as they came, also those that came several times. */
  readonly fields: readonly (readonly [name: string, value: unknown])[]
  readonly files: readonly FormFile[]
}

/** Lets the routes that `add` adds take forms: everywhere else a form is no JSON. */
export function withForms(
  server: FastifyInstance,
  { fileBytesMax, filesMax = 1, fieldsMax, fieldBytesMax }: FormLimits,
  add: (scope: FastifyInstance) => void
): void {
  server.register(async scope => {
    await scope.register(multipart, {
      limits: { fileSize: fileBytesMax, files: filesMax, fields: fieldsMax, fieldSize: fieldBytesMax }
    })
    add(scope)
  })
}

/** Whether a request's body is a form, by its heading. */
export function isForm(request: FastifyRequest): boolean {
  return request.isMultipart()
}

/**
 * Reads a form; its files may come before the fields that say what they are, so their bytes are stored first.
 *
 * @param limits those that {@link withForms} was given
 * @throws MeshError `invalid_request` for what is no form, a file of another name, too many files or fields, or a file or
 *   field that is too large; `storage_quota_exceeded`; `storage_low`. Nothing is stored then
 */
export async function readForm(
  fileService: FileService,
  request: FastifyRequest,
  limits: FormLimits
): Promise<ReadForm> {
  const fields: [string, unknown][] = []
  const files: FormFile[] = []
  try {
    for await (const part of request.parts()) {
      if (isFile(part)) {
        const name = fileName(part, limits.fileNames ?? ['file'])
        const before = files.reduce((sum, { received }) => sum + received.content.bytes, 0)
        const announced = Math.max(1, Number(request.headers['content-length'] ?? 1) - before)
        const received = await spool(fileService, part, { request, announced, limits })
        files.push({ name, filename: part.filename, received })
      } else {
        // the parser only cuts it off
        if (part.valueTruncated) throw fieldTooLarge(part.fieldname, limits)
        fields.push([part.fieldname, part.value])
      }
    }
    return { fields, files }
  } catch (error) {
    await dropFiles(fileService, files)
    // what is still on its way has to go somewhere, or the client never reads why it was refused
    request.raw.unpipe()
    request.raw.resume()
    throw formError(error, limits)
  }
}

/** Forgets the files of a form that nobody wants. */
export async function dropFiles(fileService: FileService, files: readonly FormFile[]): Promise<void> {
  for (const { received } of files) await fileService.drop(received)
}

function isFile(part: Multipart): part is MultipartFile {
  return part.type === 'file'
}

/** @throws MeshError `invalid_request` for a part that may be no file */
function fileName(part: MultipartFile, names: readonly string[]): string {
  const name = part.fieldname.replace(/\[\d*\]$/, '')
  if (names.includes(name)) return name
  part.file.resume()
  const quoted = names.map(one => `"${one}"`).join(' or ')
  throw invalidRequest(part.fieldname.slice(0, 64), 'a file came under another name', `Name its part ${quoted}.`)
}

interface Spooling {
  readonly request: FastifyRequest
  /** Bytes that are still to come. */
  readonly announced: number
  readonly limits: FormLimits
}

async function spool(
  fileService: FileService,
  part: MultipartFile,
  { request, announced, limits }: Spooling
): Promise<ReceivedFile> {
  const received = await fileService.receive(part.file, request.caller.namespace, announced)
  if (!part.file.truncated) return received
  await fileService.drop(received)
  throw fileTooLarge(limits, part.fieldname)
}

/** What the parser says by these codes, in our terms. */
const LIMITS_REACHED: Readonly<Record<string, (limits: FormLimits) => MeshError>> = {
  FST_FILES_LIMIT: ({ filesMax = 1 }) =>
    filesMax === 1
      ? tooLarge('file', 'the form has more than one file', 'Send each file in a request of its own.')
      : tooLarge(null, `the form has more than ${filesMax} files`, 'Send fewer.'),
  FST_FIELDS_LIMIT: ({ fieldsMax }) =>
    tooLarge(null, `the form has more than ${fieldsMax} fields`, 'Leave out fields that the endpoint does not know.'),
  FST_PARTS_LIMIT: ({ fieldsMax, filesMax = 1 }) =>
    tooLarge(null, 'the form has too many parts', `Send at most ${filesMax} files and ${fieldsMax} fields.`),
  FST_REQ_FILE_TOO_LARGE: limits => fileTooLarge(limits)
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

function fileTooLarge({ fileBytesMax, fileNames }: FormLimits, name = 'file'): MeshError {
  const hint = fileNames === undefined ? 'Split it into several files.' : 'Send a smaller one.'
  return tooLarge(name.slice(0, 64), `the file is larger than ${fileBytesMax} bytes`, hint)
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
