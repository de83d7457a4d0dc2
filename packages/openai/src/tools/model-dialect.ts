import { checkJsonShape } from '@resultity/api-kit'
import {
  type AnswerReader,
  type AnswerReaderInit,
  HeldCallsReader,
  hermesDialect,
  recogniseDialect,
  type ToolDialect
} from '@resultity/dialects'
import { isTextSchema } from '@resultity/grammar'
import { HERMES_FORM } from '@resultity/interface'
import { type ModelTokenizer, PROBE_CALL } from '@resultity/tokenizer'
import type { ToolUse } from './tool-use.ts'

const natives = new WeakMap<ModelTokenizer, { readonly dialect: ToolDialect | undefined }>()

/** The dialect in which a model's chat template writes calls; undefined where it writes none that can be read. */
export function nativeDialect(tokenizer: ModelTokenizer): ToolDialect | undefined {
  let known = natives.get(tokenizer)
  if (known === undefined) {
    const { writtenCall } = tokenizer.capabilities
    known = { dialect: writtenCall === undefined ? undefined : recogniseDialect(writtenCall, PROBE_CALL) }
    natives.set(tokenizer, known)
  }
  return known.dialect
}

/** How a model is to write calls: as its template does, or else as it is told to. */
export function dialectOf(tokenizer: ModelTokenizer): ToolDialect {
  return nativeDialect(tokenizer) ?? hermesDialect
}

/** Reads an answer that may have calls, or has to be some: arguments in JSON pass on as they come, and others as a whole. */
export function readerOf(use: ToolUse): AnswerReader {
  const form = use.constraint === undefined ? undefined : (use.constraint.form ?? HERMES_FORM)
  if (form !== undefined && form.notation === undefined) return new HeldCallsReader(form)
  return use.dialect.reader(readerInit(use))
}

function readerInit({ tools, names, parallel }: ToolUse): AnswerReaderInit {
  const properties = new Map(
    tools.map(({ function: { name, parameters } }) => [name, Object(parameters?.properties)] as const)
  )
  return { names, parallel, parseJson, isText: (name, argument) => isTextSchema(properties.get(name)?.[argument]) }
}

function parseJson(text: string): unknown {
  try {
    checkJsonShape(text, 'a call')
    return JSON.parse(text)
  } catch {
    // no JSON, or of a shape that no call has, is no call
    return undefined
  }
}
