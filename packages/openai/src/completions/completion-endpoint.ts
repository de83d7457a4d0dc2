import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { BEGUN, type JobAnswer, type JobContext, jobBodyOf, type PreparedJob, type StreamView } from '@resultity/jobs'
import type { RouteConstraints, ServedDecoder } from '@resultity/placement'
import type { Job } from '@resultity/store'
import { type AnswerEndpointComponents, answerJob } from '../answer/answer-job.ts'
import { AnswerRun, CHOICE, USAGE } from '../answer/answer-run.ts'
import { RELAXED_HEADER } from '../answer/relaxed-header.ts'
import { requirePlace } from '../answer/require-place.ts'
import { withSeed } from '../chat/chat-request.ts'
import { refuseUnserved } from '../fields/refuse-unserved.ts'
import type { HttpEndpoint } from '../requests/job-routes.ts'
import { CompletionAnswer, CompletionMaker, completionView } from './completion-answer.ts'
import { type CompletionPlan, toCompletionPlan } from './completion-request.ts'
import {
  type CompletionRequest,
  completionChunkSchema,
  completionRequestSchema,
  completionSchema
} from './completion-schema.ts'

const createCompletion: ApiRoute = {
  method: 'POST',
  path: '/v1/completions',
  id: 'createCompletion',
  summary: 'Goes on with one or several texts, whole or as server-sent events.',
  body: completionRequestSchema,
  answers: {
    200: {
      description: 'The answer. Streamed: pieces as `data:` events, then `data: [DONE]`.',
      json: completionSchema,
      events: completionChunkSchema,
      headers: {
        'x-resultity-route': 'Who computed the answer: `PEER[first,end) PEER[first,end) …`.',
        ...RELAXED_HEADER
      }
    }
  }
}

interface PreparedCompletion {
  readonly request: CompletionRequest
  readonly model: ServedDecoder
  readonly routing: RouteConstraints
  readonly plan: CompletionPlan
}

/** `POST /v1/completions`, whole and streamed. */
export class CompletionEndpoint implements HttpEndpoint<PreparedCompletion> {
  readonly api = createCompletion
  readonly path = createCompletion.path
  readonly #components: AnswerEndpointComponents

  constructor(components: AnswerEndpointComponents) {
    this.#components = components
  }

  async prepare(body: unknown): Promise<PreparedJob<PreparedCompletion>> {
    const { models, pools, constraints } = this.#components
    const request = withSeed(refuseUnserved('completions', parseInput(completionRequestSchema, body)))
    const model = models.findDecoder(request.model)
    const routing = pools.routing(model, request.mesh)
    const plan = await toCompletionPlan(request, model, constraints, routing)
    return {
      ...answerJob(request, model, routing),
      tokens: {
        prompt: plan.promptTokens,
        answerMax: plan.choices.reduce((sum, { request: { tokensMax } }) => sum + tokensMax, 0)
      },
      places: Math.min(plan.choices.length, model.placeable.sessionsMax),
      data: { request, model, routing, plan }
    }
  }

  check({ model, routing, plan }: PreparedCompletion): void {
    if (!isEcho(plan)) requirePlace(this.#components.director, model.placeable, routing)
  }

  run(prepared: PreparedCompletion, context: JobContext): Promise<JobAnswer> {
    return isEcho(prepared.plan) ? this.#echo(prepared, context) : this.#generate(prepared, context)
  }

  view(job: Job): StreamView {
    const request = parseInput(completionRequestSchema, jobBodyOf(job).request)
    return completionView(answerOf(job, request, this.#components.models.findDecoder(request.model)))
  }

  async #generate(prepared: PreparedCompletion, context: JobContext): Promise<JobAnswer> {
    const { request, model, plan } = prepared
    const run = new AnswerRun(
      this.#components,
      {
        model,
        requests: plan.choices.map(choice => choice.request),
        promptTokens: plan.promptTokens,
        relaxed: plan.relaxed,
        builder: index => makerOf(prepared, index)
      },
      context
    )
    const { choices, usage: spent, mesh, headers } = await run.run()
    const usage = plan.promptOnly ? { ...spent, completionTokens: 0 } : spent
    const body = answerOf(context.job, request, model).whole(choices, usage, mesh)
    return { result: { status: 200, headers, body }, usage }
  }

  /** The prompts alone: nothing is to be generated. */
  async #echo(prepared: PreparedCompletion, { job, log }: JobContext): Promise<JobAnswer> {
    const { request, model, plan } = prepared
    const usage = { promptTokens: plan.promptTokens, completionTokens: 0 }
    await log.note(BEGUN, { headers: {} })
    const makers = plan.choices.map((_, index) => makerOf(prepared, index))
    for (const builder of makers) for (const piece of builder.finish('length').entries) await log.add(CHOICE, piece)
    await log.add(USAGE, usage)
    const choices = makers.map(builder => builder.choice())
    return { result: { status: 200, headers: {}, body: answerOf(job, request, model).whole(choices, usage) }, usage }
  }
}

function makerOf({ request, model, plan }: PreparedCompletion, index: number): CompletionMaker {
  return new CompletionMaker({
    index,
    tokenizer: model.tokenizer,
    withLogprobs: request.logprobs !== undefined && request.logprobs !== null,
    prompt: plan.choices[index]?.request.prompt ?? [],
    echoed: plan.choices[index]?.echoed,
    promptOnly: plan.promptOnly
  })
}

/** Nothing is to be computed. */
function isEcho({ promptOnly, scored }: CompletionPlan): boolean {
  return promptOnly && !scored
}

function answerOf(job: Job, request: CompletionRequest, model: ServedDecoder): CompletionAnswer {
  return new CompletionAnswer(model, job, { includeUsage: request.stream_options?.include_usage === true })
}
