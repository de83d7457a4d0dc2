import type { ArgumentNotation, ToolFunction } from '@resultity/interface'
import { isBareName, valueText } from './call-values.ts'
import type { Expression, Expressions } from './expression.ts'
import type { JsonText } from './json-text.ts'
import { tokenOf } from './prelude.ts'
import { type Argument, argumentDocuments } from './schema.ts'
import { isSchema, type Relaxation, type Schema } from './schema-document.ts'
import { kindOf } from './schema-keywords.ts'
import { textUpTo } from './text-up-to.ts'

/** Keywords of parameters that are written in another notation than JSON. */
const WRITTEN: ReadonlySet<string> = new Set(['type', 'properties', 'required', 'additionalProperties'])
/** Keywords of a text that stands as it is. */
const OF_TEXT: ReadonlySet<string> = new Set(['type', 'enum', 'const'])
/** What ends a text among tags, and what must not be in it. */
const TEXT_END = '\n</parameter>'
const TAGS = ['</parameter>', '<parameter=', '</tool_call>']
/** Arguments whose alternatives are listed together. */
const LISTED_MAX = 64

/** Arguments of a call, and the keywords of their schemas that are not enforced. */
export interface WrittenArguments {
  readonly expression: Expression
  readonly relaxed: readonly Relaxation[]
}

/**
 * The arguments of a call in another notation than JSON, in the order of `properties`.
 *
 * @param parameters for which {@link canWriteCall} holds
 * @throws MeshError `invalid_request` as for a document of the schema
 */
export function callArguments(
  expressions: Expressions,
  notation: ArgumentNotation,
  parameters: unknown,
  where: string
): WrittenArguments {
  const json = valueText(expressions, notation)
  const { all, relaxed } = argumentDocuments(json, parameters, where)
  if (notation === 'xml') {
    const parts = all.map(one => (one.required ? element(json, one) : expressions.optional(element(json, one))))
    return { expression: expressions.sequence(parts), relaxed }
  }
  const texts = all.map(({ name, value, required }) => {
    const text =
      notation === 'python'
        ? expressions.sequence([expressions.literal(`${name}=`), value])
        : json.member(json.name(name), value)
    return { text, required }
  })
  return { expression: listed(json, texts), relaxed }
}

/**
 * Whether calls of a function can be held to a notation. Its arguments must be members of one object, and their names must be allowed
 * there. Texts that stand without quotes must be free, or one of a list.
 */
export function canWriteCall(notation: ArgumentNotation, { name, parameters }: ToolFunction): boolean {
  const schema = parsed(parameters)
  if (!isSchema(schema) || schema.type !== 'object') return false
  const { properties, required = [], additionalProperties = false } = schema
  if (!isSchema(properties) || additionalProperties !== false) return false
  if (Object.keys(schema).some(keyword => kindOf(keyword) !== undefined && !WRITTEN.has(keyword))) return false
  const names = Object.keys(properties)
  if (!Array.isArray(required) || !required.every(one => names.includes(String(one)))) return false
  if (notation === 'xml') return Object.entries(properties).every(([key, value]) => isElement(key, value))
  return (
    isBareName(name.replaceAll('.', '_')) && names.every(isBareName) && (notation !== 'python' || !hasHyphen(names))
  )
}

function hasHyphen(names: readonly string[]): boolean {
  return names.some(name => name.includes('-'))
}

/** Whether an argument is written as it is where texts have no quotes, and not as JSON. */
export function isTextSchema(schema: unknown): boolean {
  const { type, enum: values } = Object(schema)
  if (type !== undefined) return type === 'string'
  return Array.isArray(values) && values.every(value => typeof value === 'string')
}

function isElement(name: string, schema: unknown): boolean {
  if (name === '' || name.length > 256 || name.trim() !== name || /[>\n]/.test(name)) return false
  if (!isTextSchema(schema)) return true
  if (!Object.keys(Object(schema)).every(keyword => kindOf(keyword) === undefined || OF_TEXT.has(keyword))) return false
  return (valuesOf(Object(schema)) ?? []).every(
    value => typeof value === 'string' && !TAGS.some(tag => value.includes(tag))
  )
}

function element(json: JsonText, { name, value, schema }: Argument): Expression {
  const { expressions } = json
  const text = isTextSchema(schema)
    ? plainText(json, Object(schema))
    : expressions.sequence([value, expressions.literal(TEXT_END)])
  return expressions.sequence([expressions.literal(`<parameter=${name}>\n`), text, expressions.literal('\n')])
}

/** A text as it is, and its end. */
function plainText({ expressions }: JsonText, schema: Schema): Expression {
  const values = valuesOf(schema)
  if (values === undefined) return textUpTo(expressions, TEXT_END, tokenOf(expressions, TEXT_END), TAGS)
  return expressions.choice(values.map(text => expressions.literal(text + TEXT_END)))
}

/** The values that a schema lists. */
function valuesOf(schema: Schema): readonly unknown[] | undefined {
  if ('const' in schema) return [schema.const]
  return Array.isArray(schema.enum) ? schema.enum : undefined
}

/** One behind the other, parted by commas; those that are not required may be left out. */
function listed(
  json: JsonText,
  texts: readonly { readonly text: Expression; readonly required: boolean }[]
): Expression {
  const { expressions } = json
  let following = expressions.empty
  let leading = expressions.empty
  for (const [index, { text, required }] of texts.toReversed().entries()) {
    if (index % LISTED_MAX === LISTED_MAX - 1) {
      const [later, first] = [following, leading]
      following = expressions.reference(undefined, () => later)
      leading = expressions.reference(undefined, () => first)
    }
    const asFirst = expressions.pair(text, following)
    const asNext = expressions.sequence([json.comma, text, following])
    leading = required ? asFirst : expressions.choice([asFirst, leading])
    following = required ? asNext : expressions.choice([asNext, following])
  }
  return leading
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // said where it is read
    return undefined
  }
}
