import type { FoundCall } from './block-reader.ts'
import type { AnswerReaderInit } from './tool-dialect.ts'

/**
 * Where the JSON object or list that `text` begins with, at `from`, ends; undefined while it may go on. It need not be valid.
 */
export function jsonEnd(text: string, from = 0): number | undefined {
  let depth = 0
  let inString = false
  for (let at = from; at < text.length; at++) {
    const letter = text[at]
    if (inString) {
      if (letter === '\\') at++
      else if (letter === '"') inString = false
    } else if (letter === '"') inString = true
    else if (letter === '{' || letter === '[') depth++
    else if (letter === '}' || letter === ']') {
      depth--
      if (depth <= 0) return at + 1
    }
  }
  return undefined
}

/** A call in JSON: an object with a name, and arguments under one of their names. */
export function jsonCall(text: string, { parseJson }: AnswerReaderInit): FoundCall | undefined {
  return callOf(parseJson(text), parseJson)
}

/** Calls in JSON: one, or a list. */
export function jsonCalls(text: string, { parseJson }: AnswerReaderInit): readonly FoundCall[] | undefined {
  const value = parseJson(text)
  const calls = (Array.isArray(value) ? value : [value]).map(one => callOf(one, parseJson))
  return calls.every(call => call !== undefined) ? calls : undefined
}

function callOf(value: unknown, parseJson: AnswerReaderInit['parseJson']): FoundCall | undefined {
  if (!isObject(value) || typeof value.name !== 'string') return undefined
  const given = value.arguments ?? value.parameters ?? {}
  // some models write the arguments as a text that holds JSON
  const values = typeof given === 'string' ? parseJson(given) : given
  return isObject(values) ? { name: value.name, arguments: values } : undefined
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
