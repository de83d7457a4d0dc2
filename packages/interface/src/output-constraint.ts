/** A function that an answer may call, with the JSON Schema of its arguments as JSON text. */
export interface ToolFunction {
  readonly name: string
  readonly parameters: string
}

/**
 * How arguments are written that are not JSON: as `a=1, b="x"`; a tag for each; as `{a:1,b:<|"|>x<|"|>}`, with the marks of Gemma 4 or
 * of FunctionGemma.
 */
export const ARGUMENT_NOTATIONS = ['python', 'xml', 'gemma', 'function-gemma'] as const
export type ArgumentNotation = (typeof ARGUMENT_NOTATIONS)[number]

/**
 * How calls are written in an answer that must be calls. Each text is in parts: a marker, which is the special token of its name or
 * its letters, is one of its own.
 */
export interface CallForm {
  /** Before the first call. */
  readonly begin: readonly string[]
  readonly beforeName: readonly string[]
  /** The name is JSON text; else it stands as it is. */
  readonly quotedName: boolean
  readonly beforeArguments: readonly string[]
  /** Default: as JSON text. */
  readonly notation?: ArgumentNotation
  readonly afterArguments: readonly string[]
  /** Between two calls; undefined where an answer has one at most. */
  readonly between?: readonly string[]
  /** Behind the last call. */
  readonly end: readonly string[]
}

/** How the Hermes and Qwen models write calls: the form of all that were not taught one. */
export const HERMES_FORM: CallForm = {
  begin: [],
  beforeName: ['<tool_call>\n{"name": '],
  quotedName: true,
  beforeArguments: [', "arguments": '],
  afterArguments: ['}\n</tool_call>'],
  between: ['\n'],
  end: []
}

/**
 * What an answer must be. Schemas are kept as the client's JSON text: the order of their properties is the order in
 * the answer.
 */
export type SingleConstraint =
  /** Any JSON object. */
  | { readonly type: 'json_object' }
  /** A JSON document that is valid under `schema`, JSON text. */
  | { readonly type: 'json_schema'; readonly schema: string }
  /** A text that the pattern accepts as a whole, in the syntax of ECMAScript. */
  | { readonly type: 'regex'; readonly pattern: string }
  /** One of these texts. */
  | { readonly type: 'choice'; readonly texts: readonly string[] }
  /** A text of a grammar in GBNF, the form of llama.cpp, or in Lark: which it is shows in how it defines rules. */
  | { readonly type: 'gbnf'; readonly grammar: string }
  /** Calls of these functions and nothing else: one, or with `parallel` one or more. */
  | {
      readonly type: 'tool_calls'
      readonly functions: readonly ToolFunction[]
      readonly parallel: boolean
      /** Default: as the Hermes and Qwen models write them. */
      readonly form?: CallForm
    }

/** What one of these allows. */
export interface AnyOf<Option> {
  readonly type: 'any_of'
  readonly options: readonly Option[]
}

/** What an answer must be, without what a model writes before it. */
export type AnswerConstraint = SingleConstraint | AnyOf<SingleConstraint>

/** A part of what stands before an answer. A marker is the token of its name, or its letters. */
export type PreludePart =
  | { readonly type: 'literal'; readonly text: string }
  /** Any text up to this marker, the marker, and white space. */
  | { readonly type: 'until'; readonly text: string }

/** What may stand before an answer: these parts, one after the other. */
export type Prelude = readonly PreludePart[]

/** One of the preludes, such as the model's reasoning, and then an answer. */
export interface PrecededConstraint {
  readonly type: 'preceded'
  readonly preludes: readonly Prelude[]
  readonly answer: SingleConstraint
}

/** What all tokens of an answer must be. */
export type OutputConstraint = SingleConstraint | PrecededConstraint | AnyOf<SingleConstraint | PrecededConstraint>

/** UTF-8 bytes of all texts of a constraint. */
export const CONSTRAINT_BYTES_MAX = 262_144
/** Constraints of an `any_of`. */
export const CONSTRAINT_OPTIONS_MAX = 4
/** Texts of a `choice` constraint. */
export const CONSTRAINT_CHOICES_MAX = 1024
/** Functions of a `tool_calls` constraint: OpenAI's own limit. */
export const TOOL_FUNCTIONS_MAX = 128
/** Parts of a text of a {@link CallForm}. */
export const FORM_PARTS_MAX = 8
/** Characters of such a part. */
export const FORM_CHARACTERS_MAX = 256
/** Preludes of a `preceded` constraint. */
export const PRELUDES_MAX = 8
/** Parts of a prelude. */
export const PRELUDE_PARTS_MAX = 16
/** Characters of a part of a prelude. */
export const PRELUDE_CHARACTERS_MAX = 256
/**
 * Stands before the name of a special token where a grammar means the token itself: a byte that no text has, so that no text is
 * taken for a token.
 */
export const SPECIAL_TOKEN_BYTE = 0xff
