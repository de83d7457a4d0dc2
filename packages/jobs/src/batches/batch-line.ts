import { checkJsonShape, inSubcloud, parseInput, parseJson } from '@resultity/api-kit'
import { invalidRequest, MeshError, safeParse } from '@resultity/interface'
import { z } from 'zod'
import type { JobKind, PreparedJob } from '../job-kind.ts'

/** As OpenAI's clients number their requests, with room. */
export const CUSTOM_ID_CHARACTERS_MAX = 512

const customId = z.string().min(1).max(CUSTOM_ID_CHARACTERS_MAX)

/** One request of a batch. */
export const batchRequestSchema = z.looseObject({
  custom_id: customId,
  method: z.literal('POST', 'method is POST').optional(),
  url: z.string(),
  body: z.looseObject({})
})

/** A permanent fault of a line. */
export interface WrongLine {
  readonly type: 'error'
  readonly customId: string | null
  readonly error: MeshError
}

/** A line of a batch after reading it, or its fault. */
export type BatchLine =
  | { readonly type: 'request'; readonly customId: string; readonly url: string; readonly body: unknown }
  | WrongLine

/** A prepared line, or its fault. */
export type PreparedLine =
  | { readonly type: 'job'; readonly customId: string; readonly prepared: PreparedJob }
  | WrongLine

export interface BatchLineRules {
  /** Names that were there before. */
  readonly seen: Set<string>
  /** Where requests run that do not say. */
  readonly subcloud: string | undefined
}

/**
 * Reads a line's JSON. What is wrong with it is the line's error: nothing is thrown.
 * @param number of the line, for its error
 */
export function readBatchLine(text: string, number: number, rules: BatchLineRules): BatchLine {
  let value: unknown
  try {
    checkJsonShape(text, `line ${number}`)
    value = parseJson(text)
  } catch (cause) {
    if (cause instanceof MeshError) return { type: 'error', customId: nameOfMisshapen(text), error: cause }
    const message = cause instanceof Error ? cause.message : String(cause)
    return { type: 'error', customId: null, error: invalidRequest(null, `line ${number} is not JSON: ${message}`) }
  }
  return readBatchRequest(value, rules)
}

/** As {@link readBatchLine}, for a value that was JSON of an admitted shape. */
export function readBatchRequest(value: unknown, rules: BatchLineRules): BatchLine {
  const id = customIdOf(value)
  try {
    const { custom_id, url, body } = parseInput(batchRequestSchema, value)
    if (rules.seen.has(custom_id)) {
      throw invalidRequest('custom_id', `"${custom_id}" names another request of this batch`, 'Name each but once.')
    }
    rules.seen.add(custom_id)
    if (body.stream === true) {
      throw invalidRequest('body.stream', 'answers of a batch are not streamed', 'Leave stream out.')
    }
    const placed = rules.subcloud === undefined ? body : inSubcloud(body, rules.subcloud)
    return { type: 'request', customId: custom_id, url, body: placed }
  } catch (error) {
    return { type: 'error', customId: id, error: MeshError.from(error) }
  }
}

/**
 * Prepares the request of a line. A permanent fault is the line's error; a temporary one is thrown.
 *
 * @param endpointOf the endpoint of a path that requests of this batch may ask, or a MeshError
 * @param namespace whose stored things its body may refer to. Default: nobody's
 * @throws MeshError after which the same line can be tried again
 */
export async function prepareLine(
  line: BatchLine,
  endpointOf: (url: string) => JobKind,
  namespace?: string
): Promise<PreparedLine> {
  if (line.type === 'error') return line
  const { customId, url, body } = line
  try {
    const kind = endpointOf(url)
    const complete = namespace === undefined ? undefined : await kind.complete?.(body, namespace)
    return { type: 'job', customId, prepared: await kind.prepare(complete ?? body) }
  } catch (error) {
    const known = MeshError.from(error)
    if (known.retryable) throw known
    return { type: 'error', customId, error: known }
  }
}

/** Longest line of a refused shape that is read for its `custom_id` alone. */
const MISSHAPEN_CHARACTERS_MAX = 65_536

function nameOfMisshapen(text: string): string | null {
  if (text.length > MISSHAPEN_CHARACTERS_MAX) return null
  try {
    return customIdOf(JSON.parse(text))
  } catch {
    return null
  }
}

/** The `custom_id` of a wrong line, if it has one. */
function customIdOf(value: unknown): string | null {
  return safeParse(z.looseObject({ custom_id: customId }), value).data?.custom_id ?? null
}
