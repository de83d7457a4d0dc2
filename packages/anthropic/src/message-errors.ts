import type { ErrorFormat } from '@resultity/api-kit'
import { messageErrorSchema } from './message-schema.ts'

/** Anthropic's types of errors, by HTTP status. */
const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error'
}

/** Errors as Anthropic's clients read them; our own code is in their details. */
export const messageErrors: ErrorFormat = {
  schema: messageErrorSchema,
  write({ status, body: { error } }, requestId) {
    const type = types[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
    const details = { error_code: error.code, param: error.param }
    return { type: 'error', error: { type, message: error.message, details }, request_id: requestId }
  }
}
