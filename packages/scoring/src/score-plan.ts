import { invalidRequest } from '@resultity/interface'
import { encodedAs, InputList, truncationOf } from '@resultity/openai'
import type { ServedClassifier, ServedEncoder } from '@resultity/placement'
import { type EncodeInputOptions, PAIR_FRAMING_TOKENS } from '@resultity/tokenizer'

/** Tokens of an input that is cut off, at the least: one, and those that frame a pair. */
export const LEAST_TOKENS = PAIR_FRAMING_TOKENS + 1

/** What tells how well texts go together: a model that reads both, or the angle between their vectors. */
export type ScoredBy = 'cross_encoder' | 'cosine'

/** A text, and how errors name where it came. */
export interface NamedText {
  readonly text: string
  readonly param: string
}
export type TextPair = readonly [first: NamedText, second: NamedText]

/** What a node is asked, and how scores are made of its answer. */
export interface ScorePlan {
  readonly model: ServedClassifier | ServedEncoder
  readonly scoredBy: ScoredBy
  /** Token ids with those that frame an input. */
  readonly inputs: readonly (readonly number[])[]
  /** Where second texts begin, where inputs are pairs. */
  readonly seconds?: readonly number[]
  /** Of each pair, the inputs that it is made of: the same one twice where an input is a pair. */
  readonly pairs: readonly (readonly [first: number, second: number])[]
  readonly promptTokens: number
}

/**
 * Has pairs of texts read together by a cross-encoder, or every text once by an encoder.
 *
 * @param truncation as `truncate_prompt_tokens` of a request says it
 * @throws MeshError `invalid_request` naming the field, `context_length_exceeded` naming the text
 */
export async function toScorePlan(
  pairs: readonly TextPair[],
  model: ServedClassifier | ServedEncoder,
  truncation: number | null | undefined
): Promise<ScorePlan> {
  const options = truncationOf(truncation, model, LEAST_TOKENS)
  return model.kind === 'classifier' ? await pairPlan(pairs, model, options) : await vectorPlan(pairs, model, options)
}

async function pairPlan(
  pairs: readonly TextPair[],
  model: ServedClassifier,
  options: EncodeInputOptions
): Promise<ScorePlan> {
  const { labels } = model.classifier
  if (labels.length > 1) {
    throw invalidRequest(
      'model',
      `the model "${model.id}" has ${labels.length} labels, and a score is one number`,
      'Name a cross-encoder with one label, or an embedding model.'
    )
  }
  const inputs = new InputList('texts')
  const seconds: number[] = []
  for (const [first, second] of pairs) {
    // which of the two is too long is told by neither alone
    const pair = named(second, () => model.tokenizer.encodePair(first.text, second.text, options))
    await inputs.add(pair.ids, second.param)
    seconds.push(pair.second)
  }
  const { all, tokens } = inputs
  const own = all.map((_, index) => [index, index] as const)
  return { model, scoredBy: 'cross_encoder', inputs: all, seconds, pairs: own, promptTokens: tokens }
}

async function vectorPlan(
  pairs: readonly TextPair[],
  model: ServedEncoder,
  options: EncodeInputOptions
): Promise<ScorePlan> {
  const inputs = new InputList('texts')
  const indexes = new Map<string, number>()
  const indexOf = async (one: NamedText): Promise<number> => {
    const known = indexes.get(one.text)
    if (known !== undefined) return known
    const index = inputs.all.length
    await inputs.add(
      named(one, () => model.tokenizer.encode(one.text, options)),
      one.param
    )
    indexes.set(one.text, index)
    return index
  }
  const indexed: [number, number][] = []
  for (const [first, second] of pairs) indexed.push([await indexOf(first), await indexOf(second)])
  return { model, scoredBy: 'cosine', inputs: inputs.all, pairs: indexed, promptTokens: inputs.tokens }
}

function named<T>({ text, param }: NamedText, encode: () => T): T {
  if (text === '') throw invalidRequest(param, `${param} is an empty text`, 'Send a text, or leave it out.')
  return encodedAs(param, encode)
}
