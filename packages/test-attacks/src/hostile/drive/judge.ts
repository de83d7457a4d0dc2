import type { HostileCase } from '../corpus/hostile-case.ts'
import type { Outcome } from './send-case.ts'

/** Codes that say that something here went wrong, and not with the request. */
const OUR_FAULT =
  /"(?:error_)?code":\s*"(internal|engine_failed|replay_diverged|protocol_violation|session_unknown|model_invalid)"/

/** What a server may answer that cannot serve a request now, or at all. */
const STATUS_501 =
  /^\/(?:v1\/(?:moderations|rerank|uploads|images|audio|videos|messages\/batches|responses\/compact)|(?:v[12]\/)?(?:rerank|score)|api\/(?:pull|push|create|copy|delete))/

/** What is wrong with an answer, whatever the request was; nothing for most. */
export function faultsOf({ request: { path, method } }: HostileCase, outcome: Outcome): string[] {
  if (outcome.kind !== 'answered') return []
  const { status, text } = outcome
  const faults: string[] = []
  const own = OUR_FAULT.exec(text)?.[1]
  if (own !== undefined) faults.push(`an error of our own: ${own}`)
  const inner = /"status_code":\s*(500|502)\b/.exec(text)?.[1]
  if (inner !== undefined) faults.push(`a request of a batch was answered ${inner}`)
  if (status < 400) return faults
  const allowed = status < 500 || status === 503 || status === 504 || (status === 501 && STATUS_501.test(path))
  if (!allowed) faults.push(`status ${status}`)
  // an answer without a body has no error in it
  if (method !== 'HEAD') faults.push(...errorFaults(text))
  return faults
}

/** How an error's body differs from OpenAI's, from Anthropic's, who has more of it in `details`, or from Ollama's. */
function errorFaults(text: string): string[] {
  const error = errorIn(text)
  if (error === undefined) return [`an error without a typed body: ${text.slice(0, 120)}`]
  const { message, type } = error
  const { code, param } = typeof error.details === 'object' ? detailsOf(error.details) : error
  const faults: string[] = []
  if (typeof message !== 'string' || message === '') faults.push('an error without a message')
  if (typeof type !== 'string') faults.push('an error without a type')
  if (typeof code !== 'string' || code === '') faults.push('an error without a code')
  if (param !== null && typeof param !== 'string') faults.push('an error whose param is no text')
  const named = /^"([^"]+)": /.exec(String(message))?.[1]
  if (named !== undefined && param === null) faults.push(`an error that names "${named}" and has no param`)
  return faults
}

function detailsOf(details: object | null): Readonly<Record<string, unknown>> {
  const { error_code: code, param }: Record<string, unknown> = { ...details }
  return { code, param }
}

function errorIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const body = JSON.parse(text) as { error?: Record<string, unknown> | string }
    const { error } = body
    // a text alone says no type
    if (typeof error === 'string') return { type: '', ...body, message: error }
    return typeof error === 'object' ? error : undefined
  } catch {
    // no JSON: the caller says so
    return undefined
  }
}
