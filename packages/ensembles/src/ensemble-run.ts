import { type AbortOptions, MeshError, type Scheduler } from '@resultity/interface'
import { BEGUN, type ChildJobs, type JobAnswer, type JobContext, type JobKind, toMeshError } from '@resultity/jobs'
import type { EnsembleReport, EnsembleRequest } from '@resultity/openai'
import type { ServedModels } from '@resultity/placement'
import type { JobResult } from '@resultity/store'
import type { AnswerDialect, Choice, MemberAnswer } from './answer-dialect.ts'
import { chatDialect } from './chat-dialect.ts'
import { EnsembleAnswer, memberReport, type NamedChoice, skipped, totalUsage } from './ensemble-answer.ts'
import { type EnsemblePlan, isLive } from './ensemble-plan.ts'
import { judgeRequest, mergedBy, pickedBy } from './judge.ts'
import { type Member, MemberJobs, nobodyAnswered, type Outcome } from './member-jobs.ts'
import { declined, PieceWriter, writePieces } from './piece-writer.ts'
import { byField, normalised, vote } from './vote.ts'

export interface EnsembleRunComponents {
  readonly models: ServedModels
  readonly children: ChildJobs
  /** Chat completions: what a judge is asked by, whatever it judges. */
  judging(): JobKind
  readonly dialect: AnswerDialect
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface PreparedEnsemble {
  readonly request: EnsembleRequest
  readonly plan: EnsemblePlan
  readonly members: readonly Member[]
}

/** A member that answered. */
type Answered = Outcome & { readonly answer: MemberAnswer }

/** What a strategy came to. */
interface Decision {
  /** Whose choices are the answer, in the order of the models; at least one. */
  readonly chosen: readonly Answered[]
  /** All that were asked, the judge too. */
  readonly outcomes: readonly Outcome[]
  /** Instead of the chosen answer's own text. */
  readonly text?: string
  /** It is in the log already. */
  readonly shown?: boolean
  readonly report?: Pick<EnsembleReport, 'vote' | 'judge'>
}

/** One attempt at an ensemble: asks its models, decides, and puts the answer together. */
export class EnsembleRun {
  readonly #components: EnsembleRunComponents
  readonly #ensemble: PreparedEnsemble
  readonly #context: JobContext
  readonly #jobs: MemberJobs
  readonly #options: AbortOptions

  constructor(components: EnsembleRunComponents, ensemble: PreparedEnsemble, context: JobContext) {
    this.#components = components
    this.#ensemble = ensemble
    this.#context = context
    this.#jobs = new MemberJobs(components.children, context.job, components.scheduler)
    this.#options = { signal: context.signal }
  }

  async run(): Promise<JobAnswer> {
    const { plan, request } = this.#ensemble
    const decision = await this.#decide(plan, isLive(request, plan) && this.#context.log.wanted)
    const choices = this.#choices(decision)
    if (decision.shown !== true) await this.#show(decision, choices)
    return this.#answer(decision, choices)
  }

  async #decide(plan: EnsemblePlan, live: boolean): Promise<Decision> {
    switch (plan.strategy) {
      case 'fallback':
        return await this.#fallback(live)
      case 'fastest':
        return await this.#fastest()
      case 'all':
        return live ? await this.#allLive() : this.#everyAnswer(await this.#everybody())
      case 'vote':
        return this.#vote(await this.#everybody())
      case 'judge':
        return await this.#judge(await this.#everybody())
    }
  }

  /** One after the other, until one answers. */
  async #fallback(live: boolean): Promise<Decision> {
    const { members } = this.#ensemble
    const tried: Outcome[] = []
    for (const member of members) {
      const outcome = live ? await this.#tryLive(member) : await this.#tryWhole(member)
      tried.push(outcome)
      if (!isAnswered(outcome)) continue
      return { chosen: [outcome], outcomes: [...tried, ...members.slice(tried.length).map(skipped)], shown: live }
    }
    throw nobodyAnswered(tried)
  }

  async #tryWhole(member: Member): Promise<Outcome> {
    const outcome = await this.#jobs.answer(member, this.#options, this.#ensemble.plan.timeoutMs)
    const [choice] = outcome.answer?.choices ?? []
    if (choice === undefined || !this.#components.dialect.declines(choice)) return outcome
    return { ...outcome, answer: undefined, error: declined(member.model).forClient() }
  }

  /** @throws MeshError what went wrong once the client has seen something */
  async #tryLive(member: Member): Promise<Outcome> {
    const ms = this.#ensemble.plan.timeoutMs
    const writer = new PieceWriter(member, this.#components.dialect, this.#context.log, 0)
    const limit = ms === undefined ? undefined : { ms, begun: writer.begun }
    const outcome = await this.#jobs.watched(member, writer, this.#options, limit)
    const { showing } = writer
    writer.close()
    if (outcome.error === undefined) return outcome
    if (showing) throw toMeshError(outcome.error)
    await this.#jobs.cancel(outcome)
    return outcome
  }

  /** The first whole answer; who is slower is cancelled. */
  async #fastest(): Promise<Decision> {
    const outcomes = await Promise.all(this.#ensemble.members.map(member => this.#jobs.begin(member, this.#options)))
    const winner = firstEnded(outcomes) ?? (await this.#race(outcomes))
    this.#context.signal.throwIfAborted()
    if (winner === undefined) throw nobodyAnswered(outcomes)
    const slower = outcomes.filter(({ answer, error }) => answer === undefined && error === undefined)
    await Promise.all(slower.map(outcome => this.#jobs.cancel(outcome)))
    return { chosen: [winner], outcomes }
  }

  /**
   * @param outcomes those that have not ended are replaced as they end
   * @throws MeshError what may pass; the signal's reason
   */
  async #race(outcomes: Outcome[]): Promise<Answered | undefined> {
    const { promise: won, resolve: win, reject: fail } = Promise.withResolvers<Answered | undefined>()
    const waits = outcomes.map(async ({ member, error }, index) => {
      if (error !== undefined) return
      const outcome = await this.#jobs.answer(member, this.#options)
      outcomes[index] = outcome
      if (isAnswered(outcome)) win(outcome)
    })
    // one that could not be waited for matters only when none of the others answers
    void Promise.allSettled(waits).then(ended => {
      const broken = ended.find(one => one.status === 'rejected')
      if (broken === undefined) win(undefined)
      else fail(broken.reason)
    })
    return await won
  }

  async #everybody(): Promise<Outcome[]> {
    return await Promise.all(this.#ensemble.members.map(member => this.#jobs.answer(member, this.#options)))
  }

  #everyAnswer(outcomes: readonly Outcome[]): Decision {
    const answered = outcomes.filter(isAnswered)
    if (answered.length === 0) throw nobodyAnswered(outcomes)
    return { chosen: answered, outcomes }
  }

  /** Every model's answer as it comes, each a choice of its own. */
  async #allLive(): Promise<Decision> {
    const { dialect } = this.#components
    const { log } = this.#context
    const outcomes = await Promise.all(
      this.#ensemble.members.map(async member => {
        const writer = new PieceWriter(member, dialect, log, member.index)
        const outcome = await this.#jobs.watched(member, writer, this.#options)
        const { showing } = writer
        writer.close()
        if (outcome.error !== undefined && showing) {
          await writePieces(log, member.model, member.index, [dialect.cutOff(member.index)])
        }
        return outcome
      })
    )
    return { ...this.#everyAnswer(outcomes), shown: true }
  }

  #vote(outcomes: readonly Outcome[]): Decision {
    const { voteField, models } = this.#ensemble.plan
    const texts = outcomes.map(outcome => this.#textOf(outcome))
    const { winner, ballots } = vote(texts, voteField === undefined ? normalised : byField(voteField))
    const chosen = winner === undefined ? undefined : outcomes[winner]
    if (chosen === undefined || !isAnswered(chosen)) throw nobodyAnswered(outcomes)
    const counted = ballots.map(({ answer, voters }) => ({
      answer,
      votes: voters.length,
      models: voters.map(index => models[index] ?? '')
    }))
    return { chosen: [chosen], outcomes, report: { vote: { ballots: counted } } }
  }

  async #judge(outcomes: readonly Outcome[]): Promise<Decision> {
    const { judge } = this.#ensemble.plan
    const answered = outcomes.filter(isAnswered)
    const [first] = answered
    if (first === undefined) throw nobodyAnswered(outcomes)
    // with one answer there is nothing to judge
    if (judge === undefined || answered.length === 1) return { chosen: [first], outcomes }
    const candidates = answered.map(one => ({ index: one.member.index, text: this.#textOf(one) ?? '' }))
    const verdict = await this.#jobs.answer(await this.#judgeMember(judge, candidates), this.#options)
    const reply = textOf(verdict, chatDialect)
    if (reply === undefined) throw nobodyAnswered([verdict])
    const all = [...outcomes, verdict]
    const { model, mode } = judge
    if (mode === 'merge' && isAnswered(verdict)) {
      const { text, reasons } = mergedBy(reply)
      return { chosen: [verdict], outcomes: all, text, report: { judge: { model, mode, picked: null, reasons } } }
    }
    const { picked, reasons } = pickedBy(reply, candidates)
    const chosen = answered.find(one => one.member.index === picked?.index) ?? first
    const report = { judge: { model, mode, picked: picked?.index ?? null, reasons } }
    return { chosen: [chosen], outcomes: all, report }
  }

  async #judgeMember(
    { model, mode, instructions }: NonNullable<EnsemblePlan['judge']>,
    candidates: readonly { readonly index: number; readonly text: string }[]
  ): Promise<Member> {
    const { dialect, judging } = this.#components
    const endpoint = judging()
    const { request, members } = this.#ensemble
    const task = { mode, instructions, question: dialect.question(request), candidates }
    // the seed is the request's, so that an attempt after a crash hears the same verdict
    const { subcloud, region, nodes, stages } = request.mesh ?? {}
    const mesh = { subcloud, region, nodes, stages }
    const body = { ...judgeRequest(model, task), seed: request.seed, mesh }
    return { index: members.length, model, role: 'judge', endpoint, prepared: await endpoint.prepare(body) }
  }

  #textOf(outcome: Outcome): string | undefined {
    return textOf(outcome, this.#components.dialect)
  }

  #saidBy(outcome: Outcome): string | undefined {
    return outcome.member.role === 'judge' ? textOf(outcome, chatDialect) : this.#textOf(outcome)
  }

  #choices({ chosen, text }: Decision): NamedChoice[] {
    const { dialect } = this.#components
    return chosen.flatMap(({ member, answer }) => {
      const [choice] = answer.choices
      if (choice === undefined) return []
      const said: Choice = text === undefined ? choice : dialect.withText(choice, text)
      return [{ ...said, index: chosen.length === 1 ? 0 : member.index, model: member.model }]
    })
  }

  /** Writes an answer that was chosen as a whole to the log. */
  async #show({ chosen }: Decision, choices: readonly NamedChoice[]): Promise<void> {
    const { log } = this.#context
    if (!log.wanted) return
    const shown = this.#ensemble.plan.choices === 'primary' ? choices.slice(0, 1) : choices
    await log.note(BEGUN, { headers: { ...headersOf(chosen[0]) } })
    for (const choice of shown) {
      const index = shown.length === 1 ? 0 : choice.index
      await writePieces(log, choice.model, index, this.#components.dialect.pieces(choice))
    }
  }

  #answer({ chosen, outcomes, report }: Decision, choices: readonly NamedChoice[]): JobAnswer {
    const { models, dialect } = this.#components
    const { plan } = this.#ensemble
    const [first] = chosen
    if (first === undefined) throw new MeshError('internal', 'an ensemble was decided without an answer')
    const usage = totalUsage(outcomes)
    const reports = outcomes.map(outcome =>
      memberReport(outcome, chosen.includes(outcome as Answered) ? undefined : this.#saidBy(outcome))
    )
    const answer = new EnsembleAnswer(dialect, plan, models, this.#context.job)
    const mesh: EnsembleReport = { strategy: plan.strategy, models: reports, ...report }
    const body = answer.whole(first.answer, choices, usage, mesh)
    return { result: { status: 200, headers: headersOf(first), body }, usage }
  }
}

function textOf({ answer }: Outcome, dialect: AnswerDialect): string | undefined {
  const choice = answer?.choices[0]
  return choice === undefined ? undefined : dialect.textOf(choice)
}

function isAnswered(outcome: Outcome): outcome is Answered {
  return outcome.answer !== undefined
}

/** Where an earlier attempt left several answers, the one that was first then. */
function firstEnded(outcomes: readonly Outcome[]): Answered | undefined {
  const endedAt = ({ job }: Outcome): number => job?.endedAtMs ?? Number.POSITIVE_INFINITY
  return outcomes.filter(isAnswered).toSorted((a, b) => endedAt(a) - endedAt(b))[0]
}

function headersOf(outcome: Outcome | undefined): JobResult['headers'] {
  return outcome?.job?.result?.headers ?? {}
}
