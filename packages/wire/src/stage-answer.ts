import {
  ARGUMENT_NOTATIONS,
  type CallForm,
  CONSTRAINT_BYTES_MAX,
  CONSTRAINT_CHOICES_MAX,
  CONSTRAINT_OPTIONS_MAX,
  FORM_CHARACTERS_MAX,
  FORM_PARTS_MAX,
  LOGIT_BIAS_MAX,
  type OutputConstraint,
  PRELUDE_CHARACTERS_MAX,
  PRELUDE_PARTS_MAX,
  PRELUDES_MAX,
  type PrecededConstraint,
  type Prelude,
  type Sampling,
  type SingleConstraint,
  safeParse,
  samplingSchema,
  TOOL_FUNCTIONS_MAX
} from '@resultity/interface'
import type { resultity } from '#gen'
import { bigInteger64, fromBigInteger64, list, text } from './field-checks.ts'
import { violation } from './frame-codec.ts'

type WireSampling = resultity.stage.v1.Sampling.$Properties
type WireConstraint = resultity.stage.v1.Constraint.$Properties

const FUNCTION_NAME_CHARACTERS_MAX = 256

export function samplingToWire(sampling: Sampling): WireSampling {
  const { temperature, topP, seed, logitBias = [] } = sampling
  return {
    temperature,
    topP,
    seed: fromBigInteger64(seed),
    topK: sampling.topK ?? null,
    minP: sampling.minP ?? null,
    frequencyPenalty: sampling.frequencyPenalty ?? null,
    presencePenalty: sampling.presencePenalty ?? null,
    repetitionPenalty: sampling.repetitionPenalty ?? null,
    logitBias: [...logitBias]
  }
}

/** A field that is zero on the wire is not in use, and is left out. */
export function samplingFromWire(wired: WireSampling | null | undefined): Sampling {
  const bias = list(wired?.logitBias, 'sampling.logit_bias', LOGIT_BIAS_MAX)
  const optional = {
    topK: wired?.topK,
    minP: wired?.minP,
    frequencyPenalty: wired?.frequencyPenalty,
    presencePenalty: wired?.presencePenalty,
    repetitionPenalty: wired?.repetitionPenalty,
    logitBias: bias.length > 0 && bias.map(entry => ({ token: entry.token ?? 0, bias: entry.bias ?? 0 }))
  }
  const parsed = safeParse(samplingSchema, {
    temperature: wired?.temperature ?? 0,
    topP: wired?.topP ?? 0,
    seed: bigInteger64(wired?.seed),
    ...Object.fromEntries(
      Object.entries(optional).filter(
        ([, value]) => value !== undefined && value !== null && value !== 0 && value !== false
      )
    )
  })
  if (!parsed.success) throw violation(`open.sampling is not valid: ${parsed.error.message}`, parsed.error)
  return parsed.data
}

export function constraintToWire(constraint: OutputConstraint): WireConstraint {
  switch (constraint.type) {
    case 'json_object':
      return { jsonObject: true }
    case 'json_schema':
      return { jsonSchema: constraint.schema }
    case 'regex':
      return { regex: constraint.pattern }
    case 'choice':
      return { choice: { texts: [...constraint.texts] } }
    case 'gbnf':
      return { gbnf: constraint.grammar }
    case 'preceded':
      return {
        preceded: { preludes: constraint.preludes.map(preludeToWire), answer: constraintToWire(constraint.answer) }
      }
    case 'any_of':
      return { anyOf: { options: constraint.options.map(constraintToWire) } }
    case 'tool_calls':
      return {
        toolCalls: {
          functions: constraint.functions.map(one => ({ ...one })),
          parallel: constraint.parallel,
          ...(constraint.form === undefined ? {} : { form: formToWire(constraint.form) })
        }
      }
  }
}

function formToWire({ between, ...form }: CallForm): resultity.stage.v1.CallForm.$Properties {
  return {
    begin: [...form.begin],
    beforeName: [...form.beforeName],
    quotedName: form.quotedName,
    beforeArguments: [...form.beforeArguments],
    afterArguments: [...form.afterArguments],
    single: between === undefined,
    between: [...(between ?? [])],
    end: [...form.end],
    ...(form.notation === undefined ? {} : { notation: form.notation })
  }
}

function formFromWire(wired: resultity.stage.v1.CallForm.$Properties): CallForm {
  const parts = (texts: readonly string[] | null | undefined, field: string): readonly string[] =>
    list(texts, `constraint.form.${field}`, FORM_PARTS_MAX).map(one =>
      text(one, `constraint.form.${field}`, FORM_CHARACTERS_MAX, 1)
    )
  const notation = ARGUMENT_NOTATIONS.find(one => one === wired.notation)
  if (wired.notation && notation === undefined) throw violation('constraint.form.notation is none of this version')
  return {
    begin: parts(wired.begin, 'begin'),
    beforeName: parts(wired.beforeName, 'before_name'),
    quotedName: wired.quotedName ?? false,
    beforeArguments: parts(wired.beforeArguments, 'before_arguments'),
    afterArguments: parts(wired.afterArguments, 'after_arguments'),
    ...(wired.single === true ? {} : { between: parts(wired.between, 'between') }),
    end: parts(wired.end, 'end'),
    ...(notation === undefined ? {} : { notation })
  }
}

function preludeToWire(prelude: Prelude): resultity.stage.v1.Prelude.$Properties {
  return { parts: prelude.map(({ type, text }) => (type === 'literal' ? { literal: text } : { until: text })) }
}

export function constraintFromWire(wired: WireConstraint): OutputConstraint {
  if (!wired.anyOf) return optionFromWire(wired)
  const options = list(wired.anyOf.options, 'constraint.options', CONSTRAINT_OPTIONS_MAX)
  if (options.length === 0) throw violation('a constraint leaves no option')
  return { type: 'any_of', options: options.map(optionFromWire) }
}

function optionFromWire(wired: WireConstraint): SingleConstraint | PrecededConstraint {
  const { preceded } = wired
  if (!preceded) return singleFromWire(wired)
  const preludes = list(preceded.preludes, 'constraint.preludes', PRELUDES_MAX).map(preludeFromWire)
  if (preludes.length === 0) throw violation('a constraint leaves no prelude')
  return { type: 'preceded', preludes, answer: singleFromWire(preceded.answer ?? {}) }
}

function preludeFromWire({ parts }: resultity.stage.v1.Prelude.$Properties): Prelude {
  return list(parts, 'constraint.prelude', PRELUDE_PARTS_MAX).map(({ literal, until }) => {
    const type = typeof until === 'string' ? 'until' : 'literal'
    return { type, text: text(until ?? literal, `constraint.prelude.${type}`, PRELUDE_CHARACTERS_MAX, 1) }
  })
}

function singleFromWire(wired: WireConstraint): SingleConstraint {
  if (wired.jsonObject === true) return { type: 'json_object' }
  if (typeof wired.jsonSchema === 'string') {
    return { type: 'json_schema', schema: text(wired.jsonSchema, 'constraint.json_schema', CONSTRAINT_BYTES_MAX, 1) }
  }
  if (typeof wired.regex === 'string') {
    return { type: 'regex', pattern: text(wired.regex, 'constraint.regex', CONSTRAINT_BYTES_MAX, 1) }
  }
  if (typeof wired.gbnf === 'string') {
    return { type: 'gbnf', grammar: text(wired.gbnf, 'constraint.gbnf', CONSTRAINT_BYTES_MAX, 1) }
  }
  if (wired.choice) return choiceFromWire(wired.choice.texts)
  if (!wired.toolCalls) throw violation('a constraint has no kind that this version knows')
  return callsFromWire(wired.toolCalls)
}

function choiceFromWire(wired: readonly string[] | null | undefined): Extract<OutputConstraint, { type: 'choice' }> {
  const texts = list(wired, 'constraint.texts', CONSTRAINT_CHOICES_MAX).map(one =>
    text(one, 'constraint.text', CONSTRAINT_BYTES_MAX, 1)
  )
  if (texts.length === 0) throw violation('a constraint to one of several texts has none')
  const characters = texts.reduce((sum, one) => sum + one.length, 0)
  if (characters > CONSTRAINT_BYTES_MAX) throw violation(`a constraint has ${characters} characters of texts`)
  return { type: 'choice', texts }
}

function callsFromWire(
  toolCalls: resultity.stage.v1.ToolCalls.$Properties
): Extract<OutputConstraint, { type: 'tool_calls' }> {
  const functions = list(toolCalls.functions, 'constraint.functions', TOOL_FUNCTIONS_MAX).map(one => ({
    name: text(one.name, 'constraint.function.name', FUNCTION_NAME_CHARACTERS_MAX, 1),
    parameters: text(one.parameters, 'constraint.function.parameters', CONSTRAINT_BYTES_MAX, 1)
  }))
  if (functions.length === 0) throw violation('a constraint to tool calls names no function')
  const characters = functions.reduce((sum, one) => sum + one.name.length + one.parameters.length, 0)
  if (characters > CONSTRAINT_BYTES_MAX) throw violation(`a constraint has ${characters} characters of functions`)
  const form = toolCalls.form ? { form: formFromWire(toolCalls.form) } : {}
  return { type: 'tool_calls', functions, parallel: toolCalls.parallel ?? false, ...form }
}
