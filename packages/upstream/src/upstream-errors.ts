import { type ErrorCode, MeshError, madeShown, safeParse } from '@resultity/interface'
import { z } from 'zod'

/** Of what a server says of a failure. */
const MESSAGE_CHARACTERS_MAX = 300

const errorSchema = z.looseObject({
  error: z.union([
    z.looseObject({ message: z.string().nullish(), code: z.union([z.string(), z.number()]).nullish() }),
    z.string()
  ])
})

/** Some servers write what was wrong without an envelope. */
const bareSchema = z.looseObject({ message: z.string().optional(), detail: z.unknown().optional() })

/** Statuses with which a server refuses what the client asked for: another would as well. */
const CLIENT_FAULTS: readonly number[] = [400, 413, 422]

/** Statuses of a server that has too much to do. */
const BUSY: readonly number[] = [429, 503]

/** What a server's refusal means for the client. Pure. */
export function refusalOf(status: number, body: unknown): MeshError {
  const said = saidIn(body)
  const details = { status }
  const message = `the server answered ${status}${said.message === '' ? '' : `: ${said.message}`}`
  if (said.code === 'context_length_exceeded') return new MeshError('context_length_exceeded', message, { details })
  if (CLIENT_FAULTS.includes(status)) return new MeshError('invalid_request', message, { details })
  if (BUSY.includes(status)) {
    return new MeshError('resource_exhausted', message, { hint: 'Try again in a moment.', details })
  }
  const code: ErrorCode = 'upstream_failed'
  if (status >= 300 && status < 400) {
    return new MeshError(code, `the server answered ${status}: it sends us elsewhere`, { details })
  }
  const hint =
    status === 401 || status === 403 ? 'The node\u2019s operator gives its key by --upstream-key-file.' : undefined
  return new MeshError(code, message, { hint, details })
}

/** Whether a server that failed so may be well a moment later: it was slow, busy or failed by itself. Pure. */
export function mayPass({ code, details: { status } }: MeshError): boolean {
  return code === 'deadline_exceeded' || code === 'resource_exhausted' || (typeof status === 'number' && status >= 500)
}

/** The error that an event of a streamed answer is, if it is one. Pure. */
export function errorInEvent(event: unknown): MeshError | undefined {
  if (!safeParse(errorSchema, event).success) return undefined
  const { message } = saidIn(event)
  return new MeshError('upstream_failed', `the server broke its answer off${message === '' ? '' : `: ${message}`}`)
}

function saidIn(body: unknown): { readonly message: string; readonly code: string } {
  const enveloped = safeParse(errorSchema, body)
  if (enveloped.success) {
    const { error } = enveloped.data
    if (typeof error === 'string') return { message: short(error), code: '' }
    return { message: short(error.message ?? ''), code: String(error.code ?? '') }
  }
  const bare = safeParse(bareSchema, body)
  if (!bare.success) return { message: '', code: '' }
  const { message, detail } = bare.data
  return { message: short(message ?? (typeof detail === 'string' ? detail : '')), code: '' }
}

function short(text: string): string {
  return madeShown(text, MESSAGE_CHARACTERS_MAX)
}
