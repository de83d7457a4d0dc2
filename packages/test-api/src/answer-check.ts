import { chatStreamErrors } from './chat-stream.ts'
import { openAiErrors, openAiSchema, openAiSchemaErrors } from './openai.ts'
import type { OwnDescription } from './own-description.ts'

/** One request and the head of its answer. */
export interface Exchange {
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** The body that was sent, where it was text. */
  readonly sent: string | undefined
  readonly status: number
  readonly headers: Headers
}

export function mediaTypeOf(headers: Headers): string {
  return headers.get('content-type')?.split(';', 1)[0]?.trim() ?? ''
}

/** What the head of an answer says that the server did not say it would. */
export function headErrors(own: OwnDescription, { method, path, sent, status, headers }: Exchange): string[] {
  const errors = headers.has('x-request-id') ? [] : ['there is no x-request-id']
  const operation = own.operation(method, path)
  // errors may come of any request, and are checked by themselves; a preflight is not of the API
  if (status >= 400 || method === 'OPTIONS') return errors
  if (operation === undefined) return [...errors, 'this route is not described']
  const answer = operation.responses[status]
  if (answer === undefined) return [...errors, `status ${status} is not described`]
  const type = mediaTypeOf(headers)
  const described = Object.keys(answer.content ?? {})
  if (type !== '' && !described.some(one => one === type || one === '*/*')) {
    errors.push(`the media type ${type} is not described`)
  }
  const schema = operation.requestBody?.content?.['application/json']?.schema
  if (schema === undefined || sent === undefined || sent === '') return errors
  const reasons = own.requestErrors(schema, parse(sent))
  return [...errors, ...reasons.map(reason => `the server took a body that it says it does not: ${reason}`)]
}

/** What in a JSON answer breaks either description. */
export function bodyErrors(own: OwnDescription, exchange: Exchange, text: string): string[] {
  if (text === '' && exchange.method === 'HEAD') return []
  const value = parse(text)
  if (value === undefined) return ['the body is not JSON']
  if (exchange.status >= 400) return errorErrors(own, exchange, value)
  return valueErrors(own, exchange, 'application/json', value)
}

/** What in one event of a stream breaks either description. */
export function eventErrors(own: OwnDescription, exchange: Exchange, data: string): string[] {
  if (data === '[DONE]') return []
  const value = parse(data)
  if (typeof value !== 'object' || value === null) return [`an event is no JSON object: ${data.slice(0, 200)}`]
  if ('error' in value && !('type' in value) && !('object' in value)) return openAiErrors('ErrorResponse', value)
  return valueErrors(own, exchange, 'text/event-stream', value)
}

/** What in one line of a stream breaks the server's description. */
export function lineErrors(own: OwnDescription, exchange: Exchange, line: string): string[] {
  const value = parse(line)
  if (typeof value !== 'object' || value === null) return [`a line is no JSON object: ${line.slice(0, 200)}`]
  return valueErrors(own, exchange, 'application/x-ndjson', value)
}

/** Routes whose errors have a form of their own: all beneath `below`, and `described` has the schema. */
const FORMS = [
  {
    below: '/v1/messages',
    described: '/v1/messages',
    has: (error: object) => 'type' in error && error.type === 'error'
  },
  {
    below: '/api/',
    described: '/api/chat',
    has: (error: object) => 'error' in error && typeof error.error === 'string'
  }
] as const

/** Clients of other APIs are told of errors in their form, also where they fetch an answer later. */
function errorErrors(own: OwnDescription, { method, path }: Exchange, value: unknown): string[] {
  const served = own.operation(method, path) !== undefined
  const form = FORMS.find(({ below, has }) => {
    return (served && path.startsWith(below)) || (typeof value === 'object' && value !== null && has(value))
  })
  const described = form && own.operation('POST', form.described)
  const schema = described?.responses[400]?.content?.['application/json']?.schema
  return schema === undefined ? openAiErrors('ErrorResponse', value) : own.answerErrors(schema, value)
}

/** What breaks the order of a whole stream. */
export function streamErrors({ method, path }: Exchange, data: readonly string[]): string[] {
  if (method !== 'POST' || path !== '/v1/chat/completions') return []
  return chatStreamErrors(data.map(item => (item === '[DONE]' ? item : parse(item))))
}

function valueErrors(own: OwnDescription, exchange: Exchange, mediaType: string, value: unknown): string[] {
  const { method, path, status } = exchange
  const schema = own.operation(method, path)?.responses[status]?.content?.[mediaType]?.schema
  const ours = schema === undefined ? [] : own.answerErrors(schema, value)
  // what is only accepted (202) is an extension of ours
  const theirs = status === 200 ? openAiSchema(method, path, mediaType) : undefined
  const reasons = theirs === undefined ? [] : openAiSchemaErrors(theirs, value)
  return [
    ...ours.map(reason => `breaks our description: ${reason}`),
    ...reasons.map(reason => `breaks OpenAI's description: ${reason}`)
  ]
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // no JSON: the callers say so
    return undefined
  }
}
