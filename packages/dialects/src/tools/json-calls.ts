import type { FoundCall } from './block-reader.ts'
import type { AnswerReaderInit } from './tool-dialect.ts'

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
