import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { invalidRequest } from '@resultity/interface'
import type { JobAnswer, JobContext, PreparedJob } from '@resultity/jobs'
import {
  answerJob,
  encodedAs,
  type HttpEndpoint,
  InputList,
  type InputReading,
  modelName,
  requirePlace,
  truncationOf,
  withTruncation
} from '@resultity/openai'
import type { RouteConstraints, ServedClassifier } from '@resultity/placement'
import { moderationResult } from './moderation-result.ts'
import {
  type ModerationPart,
  type ModerationRequest,
  moderationAnswerSchema,
  moderationRequestSchema
} from './moderation-schema.ts'
import { LEAST_TOKENS } from './score-plan.ts'
import { runScoring, type ScoringComponents } from './scoring-run.ts'

const createModeration: ApiRoute = {
  method: 'POST',
  path: '/v1/moderations',
  id: 'createModeration',
  summary: 'Tells whether texts are harmful, by a model with labels for that.',
  body: moderationRequestSchema,
  answers: {
    200: {
      description: 'A result for each input, in their order.',
      json: moderationAnswerSchema,
      headers: { 'x-resultity-route': 'Who computed the answer: `PEER[first,end)`.' }
    }
  },
  errors: [501]
}

interface PreparedModeration {
  readonly model: ServedClassifier
  readonly inputs: readonly (readonly number[])[]
  readonly promptTokens: number
  readonly routing: RouteConstraints
}

/** Of one label of one input, three times. */
const LABEL_BYTES = 128

/** `POST /v1/moderations`: a whole job on one node. */
export class ModerationEndpoint implements HttpEndpoint<PreparedModeration> {
  readonly api = createModeration
  readonly path = createModeration.path
  readonly #components: ScoringComponents
  readonly #reading: InputReading

  constructor(components: ScoringComponents, reading: InputReading = {}) {
    this.#components = components
    this.#reading = reading
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedModeration>> {
    const { models, pools } = this.#components
    const parsed = withTruncation(parseInput(moderationRequestSchema, body), this.#reading)
    const name = modelName(models, parsed.model, {
      fits: model => model.kind === 'classifier' && model.classifier.labels.length > 1,
      path: this.path,
      what: 'a model that has labels for harmful texts (BertForSequenceClassification)'
    })
    const model = models.findClassifier(name)
    if (model.classifier.labels.length < 2) {
      const hint = 'Name a model with labels for harmful texts, or send it to /v1/rerank.'
      throw invalidRequest('model', `the model "${model.id}" compares texts and has one label only`, hint)
    }
    const routing = pools.routing(model, parsed.mesh)
    const { all: inputs, tokens: promptTokens } = await encodeAll(parsed, model)
    return {
      ...answerJob(parsed, model, routing),
      streamed: false,
      outlivesClient: false,
      tokens: { prompt: promptTokens, answerMax: 0 },
      resultBytes: inputs.length * (13 + model.classifier.labels.length) * LABEL_BYTES,
      data: { model, inputs, promptTokens, routing }
    }
  }

  check({ model, routing }: PreparedModeration): void {
    requirePlace(this.#components.director, model.placeable, routing)
  }

  async run(prepared: PreparedModeration, context: JobContext): Promise<JobAnswer> {
    const { model, inputs, promptTokens } = prepared
    const { vectors, width, headers } = await runScoring(this.#components, prepared, context)
    const results = inputs.map((_, index) =>
      moderationResult(vectors.subarray(index * width, (index + 1) * width), model.classifier)
    )
    const body = { id: context.job.id.replace(/^req_/, 'modr-'), model: model.id, results }
    return { result: { status: 200, headers, body }, usage: { promptTokens, completionTokens: 0 } }
  }
}

/** Every text is an input of its own, as in OpenAI's. */
async function encodeAll(request: ModerationRequest, model: ServedClassifier): Promise<InputList> {
  const { input, truncate_prompt_tokens: wanted } = request
  const truncation = truncationOf(wanted, model, LEAST_TOKENS)
  const single = typeof input === 'string'
  const inputs = new InputList('inputs')
  for (const [index, one] of (single ? [input] : input).entries()) {
    const param = single ? 'input' : `input[${index}]`
    const text = typeof one === 'string' ? one : partText(one, param)
    await inputs.add(
      encodedAs(param, () => model.tokenizer.encode(text, truncation)),
      'input'
    )
  }
  return inputs
}

function partText({ type, text }: ModerationPart, param: string): string {
  if (type !== 'text') {
    throw invalidRequest(`${param}.type`, `"${type}" parts are not served`, 'Send text parts only.')
  }
  if (text !== undefined) return text
  throw invalidRequest(`${param}.text`, `${param} has no text`)
}
