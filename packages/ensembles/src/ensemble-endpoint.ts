import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { MeshError, type Scheduler } from '@resultity/interface'
import {
  type ChildJobs,
  type JobAnswer,
  type JobContext,
  type JobKind,
  jobBodyOf,
  type PreparedJob,
  type StreamView
} from '@resultity/jobs'
import { ensembleRequestSchema, type HttpEndpoint } from '@resultity/openai'
import { GROUP_LANE, type Job, type JsonValue } from '@resultity/store'
import type { AnswerDialect } from './answer-dialect.ts'
import { EnsembleAnswer } from './ensemble-answer.ts'
import { type EnsembleNames, type EnsemblePlan, memberRequest, planOf, storedRequest } from './ensemble-plan.ts'
import { EnsembleRun, type PreparedEnsemble } from './ensemble-run.ts'
import type { Member } from './member-jobs.ts'

/** A request of one model, which the wrapped endpoint runs, or of several. */
type SingleOrEnsemble =
  | { readonly type: 'single'; readonly data: unknown }
  | { readonly type: 'ensemble'; readonly ensemble: PreparedEnsemble }

export interface EnsembleEndpointComponents extends EnsembleNames {
  readonly children: ChildJobs
  /** Chat completions: what a judge is asked by. */
  judging(): JobKind
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/**
 * Lets several models answer what an endpoint answers with one: a request that names one model is the endpoint's own,
 * one that names more becomes a job that asks each of them.
 */
export class EnsembleEndpoint implements HttpEndpoint<SingleOrEnsemble> {
  readonly api: ApiRoute
  readonly path: string
  readonly #components: EnsembleEndpointComponents
  readonly #endpoint: HttpEndpoint
  readonly #dialect: AnswerDialect

  constructor(components: EnsembleEndpointComponents, endpoint: HttpEndpoint, dialect: AnswerDialect) {
    this.#components = components
    this.#endpoint = endpoint
    this.#dialect = dialect
    this.api = endpoint.api
    this.path = endpoint.path
  }

  async prepare(body: unknown): Promise<PreparedJob<SingleOrEnsemble>> {
    const request = parseInput(ensembleRequestSchema, body)
    const plan = planOf(request, this.#components)
    if (plan === undefined) return await this.#single(body)
    this.#dialect.refuse(request)
    const stored = storedRequest(request, plan)
    const members = await Promise.all(
      plan.models.map((_model, index) => this.#member(memberRequest(stored, plan, index), plan, index))
    )
    return this.#prepared({ request: stored, plan, members })
  }

  check(prepared: SingleOrEnsemble): void {
    if (prepared.type === 'single') this.#endpoint.check(prepared.data)
    else checkAny(prepared.ensemble.members)
  }

  async run(prepared: SingleOrEnsemble, context: JobContext): Promise<JobAnswer> {
    if (prepared.type === 'single') return await this.#endpoint.run(prepared.data, context)
    return await new EnsembleRun({ ...this.#components, dialect: this.#dialect }, prepared.ensemble, context).run()
  }

  view(job: Job): StreamView {
    const { request: body } = jobBodyOf(job)
    const request = parseInput(ensembleRequestSchema, body)
    const plan = planOf(request, this.#components)
    if (plan !== undefined) return new EnsembleAnswer(this.#dialect, plan, this.#components.models, job).view(request)
    const view = this.#endpoint.view?.(job)
    if (view === undefined) throw new MeshError('internal', `${this.path} does not stream`)
    return view
  }

  async #single(body: unknown): Promise<PreparedJob<SingleOrEnsemble>> {
    const single = await this.#endpoint.prepare(body)
    return { ...single, data: { type: 'single', data: single.data } }
  }

  /**
   * A prompt may be too long for one model and not for another, and of a `fallback` some models may not be served: that is the
   * one model's failure.
   */
  async #member(request: Record<string, unknown>, plan: EnsemblePlan, index: number): Promise<Member> {
    const model = plan.models[index] ?? ''
    const member = { index, model, role: 'member', endpoint: this } as const
    try {
      return { ...member, prepared: await this.#single(request) }
    } catch (error) {
      const known = MeshError.from(error)
      const passedOver = plan.strategy === 'fallback' && known.code === 'model_not_found'
      if (known.code !== 'context_length_exceeded' && !passedOver) throw known
      return { ...member, prepared: known }
    }
  }

  #prepared(ensemble: PreparedEnsemble): PreparedJob<SingleOrEnsemble> {
    const { request, plan, members } = ensemble
    const prepared = members.flatMap(member => (member.prepared instanceof MeshError ? [] : [member.prepared]))
    if (prepared.length === 0) throw failureOf(members)
    const metadata = prepared.find(one => one.metadata !== undefined)?.metadata
    return {
      lane: GROUP_LANE,
      request: request as JsonValue,
      streamed: request.stream === true,
      outlivesClient: prepared.some(one => one.outlivesClient),
      tokens: tokensOf(prepared, plan),
      unstored: prepared.some(one => one.unstored === true),
      ...(metadata === undefined ? {} : { metadata }),
      data: { type: 'ensemble', ensemble }
    }
  }
}

/** Why none of the members can be asked: what a served model says of the request, if there is one. */
function failureOf(members: readonly Member[]): MeshError {
  const errors = members.flatMap(({ prepared }) => (prepared instanceof MeshError ? [prepared] : []))
  const told = errors.find(({ code }) => code !== 'model_not_found') ?? errors[0]
  return told ?? new MeshError('internal', 'no model was asked')
}

/** The judge reads all answers and writes one more. */
function tokensOf(members: readonly PreparedJob[], { judge }: EnsemblePlan): PreparedJob['tokens'] {
  const prompt = members.reduce((sum, { tokens }) => sum + tokens.prompt, 0)
  const answerMax = members.reduce((sum, { tokens }) => sum + tokens.answerMax, 0)
  if (judge === undefined) return { prompt, answerMax }
  const longest = Math.max(...members.map(({ tokens }) => tokens.answerMax))
  return { prompt: prompt * 2 + answerMax, answerMax: answerMax + longest }
}

/** One model that can serve is enough. @throws MeshError of the first */
function checkAny(members: readonly Member[]): void {
  const able = members.flatMap(({ endpoint, prepared }) => {
    return prepared instanceof MeshError ? [] : [{ endpoint, data: prepared.data }]
  })
  const errors = able.flatMap(({ endpoint, data }) => {
    try {
      endpoint.check(data)
      return []
    } catch (error) {
      return [error]
    }
  })
  if (errors.length === able.length) throw errors[0]
}
