import { type ApiRoute, parseInput } from '@resultity/api-kit'
import { MeshError, type Scheduler } from '@resultity/interface'
import { type ChildJobs, type JobEndpoint, jobBodyOf, type PreparedJob, type StreamView } from '@resultity/jobs'
import { GROUP_LANE, type Job, type JsonValue } from '@resultity/store'
import type { HttpEndpoint } from '../requests/job-routes.ts'
import type { AnswerDialect } from './answer-dialect.ts'
import { EnsembleAnswer } from './ensemble-answer.ts'
import { type EnsembleNames, type EnsemblePlan, memberRequest, planOf, storedRequest } from './ensemble-plan.ts'
import { EnsembleRun, type PreparedEnsemble } from './ensemble-run.ts'
import { ensembleRequestSchema } from './ensemble-schema.ts'
import type { Member } from './member-jobs.ts'

export interface EnsembleEndpointComponents extends EnsembleNames {
  readonly children: ChildJobs
  /** Chat completions: what a judge is asked by. */
  readonly judging: JobEndpoint
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/**
 * Lets several models answer what an endpoint answers with one: a request that names one model is the endpoint's own,
 * one that names more becomes a job that asks each of them.
 */
export class EnsembleEndpoint implements HttpEndpoint {
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

  async prepare(body: unknown): Promise<PreparedJob> {
    const request = parseInput(ensembleRequestSchema, body)
    const plan = planOf(request, this.#components)
    if (plan === undefined) return await this.#endpoint.prepare(body)
    this.#dialect.refuse(request)
    const stored = storedRequest(request, plan)
    const members = await Promise.all(
      plan.models.map((model, index) => this.#member(memberRequest(stored, plan, index), model, index))
    )
    return this.#prepared({ request: stored, plan, members })
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

  /** A prompt may be too long for one model and not for another: that is the one model's failure. */
  async #member(request: Record<string, unknown>, model: string, index: number): Promise<Member> {
    const member = { index, model, role: 'member', endpoint: this.#endpoint } as const
    try {
      return { ...member, prepared: await this.#endpoint.prepare(request) }
    } catch (error) {
      const known = MeshError.from(error)
      if (known.code !== 'context_length_exceeded') throw known
      return { ...member, prepared: known }
    }
  }

  #prepared(ensemble: PreparedEnsemble): PreparedJob {
    const { request, plan, members } = ensemble
    const prepared = members.flatMap(member => (member.prepared instanceof MeshError ? [] : [member.prepared]))
    const failed = members.find(member => member.prepared instanceof MeshError)
    if (prepared.length === 0 && failed?.prepared instanceof MeshError) throw failed.prepared
    return {
      lane: GROUP_LANE,
      request: request as JsonValue,
      streamed: request.stream === true,
      outlivesClient: prepared.some(one => one.outlivesClient),
      tokens: tokensOf(prepared, plan),
      unstored: prepared.some(one => one.unstored === true),
      check: () => checkAny(prepared),
      run: context => new EnsembleRun({ ...this.#components, dialect: this.#dialect }, ensemble, context).run()
    }
  }
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
function checkAny(members: readonly PreparedJob[]): void {
  const errors = members.flatMap(member => {
    try {
      member.check()
      return []
    } catch (error) {
      return [error]
    }
  })
  if (errors.length === members.length) throw errors[0]
}
