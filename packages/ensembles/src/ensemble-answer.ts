import { createHash } from 'node:crypto'
import { keptErrorReply } from '@resultity/api-kit'
import type { StreamView } from '@resultity/jobs'
import {
  type EnsembleReport,
  type EnsembleRequest,
  fingerprint,
  type MemberReport,
  sumUsage,
  toTokenUsage
} from '@resultity/openai'
import type { ServedModels } from '@resultity/placement'
import type { Job, JobEvent, JobUsage, JsonValue } from '@resultity/store'
import type { AnswerDialect, Choice, MemberAnswer } from './answer-dialect.ts'
import type { EnsemblePlan } from './ensemble-plan.ts'
import type { Member, Outcome } from './member-jobs.ts'

/** Entry of an ensemble's log: a piece of a choice, with the model it is of. */
export const PIECE = 'piece'

/** A choice, or a piece of one, and who made it. */
export type NamedChoice = Choice & { readonly model: string }

/** Builds what clients see of one ensemble's answer. */
export class EnsembleAnswer {
  readonly #dialect: AnswerDialect
  readonly #plan: EnsemblePlan
  readonly #models: ServedModels
  readonly #job: Job

  constructor(dialect: AnswerDialect, plan: EnsemblePlan, models: ServedModels, job: Job) {
    this.#dialect = dialect
    this.#plan = plan
    this.#models = models
    this.#job = job
  }

  /** @param choices at least one */
  whole(base: MemberAnswer, choices: readonly NamedChoice[], usage: JobUsage, report: EnsembleReport): JsonValue {
    const { mesh, ...rest } = base
    const own = choices.length === 1 ? mesh : undefined
    const models = choices.map(choice => choice.model)
    const body: Record<string, unknown> = {
      ...rest,
      ...this.#head(models),
      object: this.#dialect.object,
      choices,
      usage: toTokenUsage(usage),
      mesh: { ...own, ...report }
    }
    return body as JsonValue
  }

  /** The job's log as its endpoint streams answers: pieces, then a chunk that says how it was made. */
  view(request: EnsembleRequest): StreamView {
    const includeUsage = request.stream_options?.include_usage === true
    const several = this.#plan.strategy === 'all' && this.#plan.choices === 'all'
    let model = this.#plan.models.find(name => this.#models.has(name)) ?? ''
    const chunk = (choices: readonly unknown[]) => ({
      ...this.#head(several ? this.#plan.models : [model]),
      object: this.#dialect.chunkObject,
      choices,
      ...(includeUsage ? { usage: null } : {})
    })
    const render = ({ type, data }: JobEvent): unknown[] => {
      if (type !== PIECE) return []
      const piece = data as NamedChoice
      model = piece.model
      return [chunk([piece])]
    }
    const end = ({ usage, result }: Job): unknown[] => {
      const made = { ...chunk([]), mesh: (result?.body as { mesh?: unknown } | undefined)?.mesh }
      return [includeUsage && usage !== null ? { ...made, usage: toTokenUsage(usage) } : made, '[DONE]']
    }
    return { begin: () => [], render, end }
  }

  #head(models: readonly string[]) {
    return {
      id: `${this.#dialect.idPrefix}${this.#job.id.replace(/^req_/, '')}`,
      created: Math.floor(this.#job.createdAtMs / 1000),
      model: models.join('+'),
      system_fingerprint: fingerprintOf(models.map(model => fingerprint(this.#models.findDecoder(model))))
    }
  }
}

function fingerprintOf(fingerprints: readonly string[]): string {
  const [first = '', ...others] = fingerprints
  if (others.length === 0) return first
  const digest = createHash('sha256').update(fingerprints.join(' ')).digest('hex')
  return `fp_${digest.slice(0, 12)}`
}

/** What a member's part was, for the answer's `mesh.models`. */
export function memberReport({ member, job, error, answer }: Outcome, content?: string): MemberReport {
  const { model, role } = member
  const mesh = answer?.mesh
  const usage = job?.usage ?? null
  return {
    model,
    role,
    status: statusOf({ job, error, answer }),
    request_id: job?.id ?? null,
    ms: job?.endedAtMs == null ? null : job.endedAtMs - job.createdAtMs,
    ttftMs: mesh?.ttftMs ?? null,
    tokensPerSecond: mesh?.tokensPerSecond ?? null,
    route: mesh?.route ?? [],
    usage: usage === null ? null : toTokenUsage(usage),
    error: error === undefined ? null : keptErrorReply(error).body.error,
    ...(content === undefined ? {} : { content })
  }
}

function statusOf({ job, error, answer }: Pick<Outcome, 'job' | 'error' | 'answer'>): MemberReport['status'] {
  if (answer !== undefined) return 'succeeded'
  if (job === undefined) return error === undefined ? 'skipped' : 'failed'
  if (job.state === 'expired') return 'expired'
  // not waited for any more, so it is told to end
  return error === undefined || job.state === 'cancelled' ? 'cancelled' : 'failed'
}

/** A member that was not asked. */
export function skipped(member: Member): Outcome {
  return { member, job: undefined, error: undefined, answer: undefined }
}

/** What all of them took together. */
export function totalUsage(outcomes: readonly Outcome[]): JobUsage {
  return sumUsage(outcomes.flatMap(({ job }) => job?.usage ?? []))
}
