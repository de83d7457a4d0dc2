interface Chunk {
  readonly id?: unknown
  readonly created?: unknown
  readonly model?: unknown
  readonly system_fingerprint?: unknown
  readonly choices?: readonly { readonly index: number; readonly delta: object; readonly finish_reason: unknown }[]
  readonly usage?: unknown
}

const SAME = ['id', 'created', 'model', 'system_fingerprint'] as const

/**
 * What breaks the order that clients rely on in the events of a whole chat stream: the `data` of each, JSON parsed,
 * `[DONE]` as it is. Nothing is checked after an error.
 */
export function chatStreamErrors(events: readonly unknown[]): string[] {
  if (events.some(event => typeof event === 'object' && event !== null && 'error' in event)) return []
  const errors: string[] = []
  if (events.at(-1) !== '[DONE]') errors.push('the stream does not end with [DONE]')
  const chunks = events.filter((event): event is Chunk => typeof event === 'object' && event !== null)
  for (const key of SAME) {
    if (new Set(chunks.map(chunk => chunk[key])).size > 1) errors.push(`${key} differs between chunks`)
  }
  const choices = chunks.flatMap(chunk => chunk.choices ?? [])
  for (const index of new Set(choices.map(choice => choice.index))) {
    const own = choices.filter(choice => choice.index === index)
    if (!('role' in (own[0]?.delta ?? {}))) errors.push(`the first delta of choice ${index} has no role`)
    const ends = own.filter(choice => choice.finish_reason !== null)
    if (ends.length !== 1) errors.push(`choice ${index} has ${ends.length} finish reasons`)
    if (own.at(-1)?.finish_reason === null) errors.push(`choice ${index} goes on after its end`)
  }
  return [...errors, ...usageErrors(chunks)]
}

/** One chunk has the usage, if any: the last, and it has no choices. */
function usageErrors(chunks: readonly Chunk[]): string[] {
  const counted = chunks.filter(chunk => chunk.usage !== null && chunk.usage !== undefined)
  if (counted.length === 0) return []
  const [last] = counted
  if (counted.length > 1 || last !== chunks.at(-1)) return ['usage is not in the last chunk alone']
  return last?.choices?.length === 0 ? [] : ['the chunk with the usage has choices']
}
