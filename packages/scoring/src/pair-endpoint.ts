import { type ApiRoute, parseInput } from '@resultity/api-kit'
import type { JobAnswer, JobContext, PreparedJob } from '@resultity/jobs'
import {
  answerJob,
  type HttpEndpoint,
  type InputReading,
  modelName,
  requirePlace,
  withTruncation
} from '@resultity/openai'
import type { RouteConstraints } from '@resultity/placement'
import type { JsonValue } from '@resultity/store'
import type { PairDialect } from './pair-dialect.ts'
import type { RerankRequest, ScoreRequest } from './pair-schema.ts'
import { type ScorePlan, toScorePlan } from './score-plan.ts'
import { pairScores } from './scores.ts'
import { runScoring, type ScoringComponents } from './scoring-run.ts'

interface PreparedPairs<Body> {
  readonly request: Body
  readonly plan: ScorePlan
  readonly routing: RouteConstraints
}

/** Of one result, beside the document. */
const RESULT_BYTES = 96

/** A route that compares texts: a whole job on one node. */
export class PairEndpoint<Body extends RerankRequest | ScoreRequest> implements HttpEndpoint<PreparedPairs<Body>> {
  readonly api: ApiRoute
  readonly path: string
  readonly #components: ScoringComponents
  readonly #dialect: PairDialect<Body>
  readonly #reading: InputReading

  constructor(components: ScoringComponents, dialect: PairDialect<Body>, reading: InputReading = {}) {
    this.api = dialect.api
    this.path = dialect.api.path
    this.#components = components
    this.#dialect = dialect
    this.#reading = reading
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedPairs<Body>>> {
    const { models, pools } = this.#components
    const parsed = withTruncation(parseInput(this.#dialect.schema, body), this.#reading)
    const pairs = this.#dialect.pairsOf(parsed)
    const name = modelName(models, parsed.model, {
      fits: model => model.kind === 'encoder' || (model.kind === 'classifier' && model.classifier.labels.length === 1),
      path: this.path,
      what: 'a cross-encoder, or an embedding model'
    })
    const model = models.findScorer(name)
    const routing = pools.routing(model, parsed.mesh)
    const plan = await toScorePlan(pairs, model, parsed.truncate_prompt_tokens)
    const characters = pairs.reduce((sum, [, { text }]) => sum + text.length, 0)
    return {
      ...answerJob(parsed, model, routing),
      streamed: false,
      outlivesClient: false,
      tokens: { prompt: plan.promptTokens, answerMax: 0 },
      // a character is three bytes at the most, and may be written as six
      resultBytes: pairs.length * RESULT_BYTES + 6 * characters,
      data: { request: { ...parsed, model: model.id }, plan, routing }
    }
  }

  check({ plan, routing }: PreparedPairs<Body>): void {
    requirePlace(this.#components.director, plan.model.placeable, routing)
  }

  async run({ request, plan, routing }: PreparedPairs<Body>, context: JobContext): Promise<JobAnswer> {
    const { promptTokens } = plan
    const { vectors, width, headers } = await runScoring(this.#components, { ...plan, routing }, context)
    const body = this.#dialect.answerOf(request, plan, pairScores(plan, vectors, width), context.job)
    return { result: { status: 200, headers, body: body as JsonValue }, usage: { promptTokens, completionTokens: 0 } }
  }
}
