import { isErrorCode, MeshError } from '@resultity/interface'

/** An error as `common.proto` carries it. */
export interface WireError {
  readonly code: string
  readonly message: string
  readonly hint: string
}

/** The decoded error of `common.proto`. */
interface WireErrorFields {
  readonly code?: string | null
  readonly message?: string | null
  readonly hint?: string | null
}

/** Longer texts are cut, on both sides: an error must never be what makes a frame too large. */
const TEXT_CHARACTERS_MAX = 2048

/** Code, message and hint travel; `details`, cause and stack stay here. */
export function errorToWire(error: MeshError): WireError {
  return {
    code: error.code,
    message: error.message.slice(0, TEXT_CHARACTERS_MAX),
    hint: (error.hint ?? '').slice(0, TEXT_CHARACTERS_MAX)
  }
}

/** The peer's error. A code that this version does not know becomes `internal`, and is named in `details.code`. */
export function errorFromWire(error: WireErrorFields | null | undefined): MeshError {
  const code = error?.code ?? ''
  const message = (error?.message ?? '').slice(0, TEXT_CHARACTERS_MAX) || 'the peer reported an error without a message'
  const hint = (error?.hint ?? '').slice(0, TEXT_CHARACTERS_MAX)
  const known = isErrorCode(code)
  return new MeshError(known ? code : 'internal', message, {
    ...(hint === '' ? {} : { hint }),
    ...(known ? {} : { details: { code: code.slice(0, 64) } })
  })
}
