/** A function that an answer may call, with the JSON Schema of its arguments as JSON text. */
export interface ToolFunction {
  readonly name: string
  readonly parameters: string
}

/**
 * What an answer must be. Schemas are kept as the client's JSON text: the order of their properties is the order in
 * the answer.
 */
export type OutputConstraint =
  /** Any JSON object. */
  | { readonly type: 'json_object' }
  /** A JSON document that is valid under `schema`, JSON text. */
  | { readonly type: 'json_schema'; readonly schema: string }
  /** A text that the pattern accepts as a whole, in the syntax of ECMAScript. */
  | { readonly type: 'regex'; readonly pattern: string }
  /** One of these texts. */
  | { readonly type: 'choice'; readonly texts: readonly string[] }
  /** A text of a grammar in GBNF, the form of llama.cpp. */
  | { readonly type: 'gbnf'; readonly grammar: string }
  /** Calls of these functions and nothing else: one, or with `parallel` one or more. */
  | { readonly type: 'tool_calls'; readonly functions: readonly ToolFunction[]; readonly parallel: boolean }
  /** What one of these allows, none of which is an `any_of` itself. */
  | { readonly type: 'any_of'; readonly options: readonly Exclude<OutputConstraint, { type: 'any_of' }>[] }

/** UTF-8 bytes of all texts of a constraint. */
export const CONSTRAINT_BYTES_MAX = 262_144
/** Constraints of an `any_of`. */
export const CONSTRAINT_OPTIONS_MAX = 4
/** Texts of a `choice` constraint. */
export const CONSTRAINT_CHOICES_MAX = 1024
/** Functions of a `tool_calls` constraint: OpenAI's own limit. */
export const TOOL_FUNCTIONS_MAX = 128
