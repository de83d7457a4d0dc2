import { MeshError } from './errors.ts'

/** `invalid_request`, naming the field, or null when the fault is the whole request's. */
export function invalidRequest(param: string | null, message: string, hint?: string): MeshError {
  return new MeshError('invalid_request', message, {
    hint: hint ?? 'Correct the request; GET /openapi.json describes it.',
    details: param === null ? {} : { param }
  })
}

/** The same error, with the name of the field of the request that caused it. */
export function withParam(error: unknown, param: string): MeshError {
  const { code, message, hint, details } = MeshError.from(error)
  return new MeshError(code, message, { hint, details: { ...details, param }, cause: error })
}
