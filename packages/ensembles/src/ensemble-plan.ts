import { invalidRequest, type Strategy, withParam } from '@resultity/interface'
import { type EnsembleRequest, randomSeed, seedAfter } from '@resultity/openai'
import type { ServedModels } from '@resultity/placement'
import type { EnsembleAliases } from './ensemble-aliases.ts'

/** Who is asked, and what becomes of the answers. */
export interface EnsemblePlan {
  /** Ids of served models, in the client's order; a `fallback` may name others too, and passes them over. */
  readonly models: readonly string[]
  readonly strategy: Strategy
  readonly voteField: string | undefined
  readonly judge: EnsembleJudge | undefined
  readonly timeoutMs: number | undefined
  /** Which choices a stream of `all` carries: clients that expect one mix up several. */
  readonly choices: 'all' | 'primary'
}

export interface EnsembleJudge {
  readonly model: string
  readonly mode: 'pick' | 'merge'
  readonly instructions: string | undefined
}

export interface EnsembleNames {
  readonly models: ServedModels
  readonly aliases: EnsembleAliases
}

/**
 * What a request asks of several models; undefined when it asks one.
 *
 * @throws MeshError `model_not_found`, `invalid_request`, naming the field
 */
export function planOf(request: EnsembleRequest, names: EnsembleNames): EnsemblePlan | undefined {
  const wanted = requestedOf(request, names)
  if (wanted === undefined) {
    if (request.strategy == null) return undefined
    throw invalidRequest('strategy', 'strategy is set and models is not', 'List the models to ask in models.')
  }
  if ((request.n ?? 1) !== 1) {
    throw invalidRequest('n', `n is ${request.n} with several models`, 'Leave n out, or name a model several times.')
  }
  const strategy = request.strategy ?? strategyOf(wanted)
  const models = strategy === 'fallback' ? idsOfSome(names.models, wanted) : idsOfAll(names.models, wanted)
  const judge = strategy === 'judge' ? judgeOf(wanted.judge, names.models) : undefined
  return {
    models,
    strategy,
    judge,
    voteField: strategy === 'vote' ? (wanted.vote?.field ?? undefined) : undefined,
    timeoutMs: request.mesh?.timeout_ms ?? wanted.timeoutMs,
    choices: request.mesh?.choices ?? wanted.choices
  }
}

/** The wishes of the client or of the ensemble's author. */
interface RequestedEnsemble extends Pick<EnsembleRequest, 'vote' | 'judge'> {
  readonly models: readonly string[]
  readonly strategy: Strategy | undefined
  readonly timeoutMs: number | undefined
  readonly choices: 'all' | 'primary'
  /** The field that names the model with this index. */
  param(index: number): string
}

function requestedOf(request: EnsembleRequest, { models, aliases }: EnsembleNames): RequestedEnsemble | undefined {
  const { models: listed, model, vote, judge } = request
  const common = { vote, judge, strategy: undefined, timeoutMs: undefined, choices: 'all' } as const
  if (listed != null) return { ...common, models: listed, param: index => `models[${index}]` }
  if (model === undefined || models.has(model)) return undefined
  const alias = aliases.get(model)
  if (alias !== undefined) {
    return {
      models: alias.models,
      strategy: alias.strategy,
      vote: vote ?? alias.vote,
      judge: judge ?? alias.judge,
      timeoutMs: alias.timeoutMs,
      choices: 'primary',
      param: () => 'model'
    }
  }
  const parts = model.split('+').filter(part => part !== '')
  return parts.length < 2 || models.isElsewhere(model)
    ? undefined
    : { ...common, models: parts, strategy: 'all', param: () => 'model' }
}

/** What is not said follows from what is. */
export function strategyOf({ strategy, vote, judge }: Pick<EnsembleRequest, 'strategy' | 'vote' | 'judge'>): Strategy {
  if (strategy != null) return strategy
  if (judge != null) return 'judge'
  return vote != null ? 'vote' : 'fallback'
}

/** @throws MeshError `model_not_found` of the first that is not served */
function idsOfAll(models: ServedModels, wanted: RequestedEnsemble): string[] {
  return wanted.models.map((name, index) => idOf(models, name, wanted.param(index)))
}

/**
 * A name that nobody knows stays as it is: the next model answers.
 * @throws MeshError `model_not_found` when none is served; `unavailable` while it may be one of those still imported
 */
function idsOfSome(models: ServedModels, wanted: RequestedEnsemble): string[] {
  // an ensemble knows its models: one that only a server beside a node knows has no part in it
  if (wanted.models.some(name => models.isElsewhere(name))) return idsOfAll(models, wanted)
  if (models.complete && wanted.models.some(name => models.has(name))) {
    return wanted.models.map(name => (models.has(name) ? models.find(name).id : name))
  }
  return idsOfAll(models, wanted)
}

function idOf(models: ServedModels, name: string, param: string): string {
  try {
    return models.find(name).id
  } catch (error) {
    throw withParam(error, param)
  }
}

function judgeOf(judge: EnsembleRequest['judge'], models: ServedModels): EnsembleJudge {
  if (judge == null) {
    throw invalidRequest('judge', 'the strategy is "judge" and there is no judge', 'Name one: {"model": "…"}.')
  }
  return {
    model: idOf(models, judge.model, 'judge.model'),
    mode: judge.mode ?? 'pick',
    instructions: judge.instructions ?? undefined
  }
}

/** The request as it is stored: planning it again gives the same plan, whatever aliases mean by then. */
export function storedRequest(request: EnsembleRequest, plan: EnsemblePlan): EnsembleRequest {
  const { timeoutMs, voteField, judge } = plan
  return {
    ...request,
    models: [...plan.models],
    strategy: plan.strategy,
    vote: voteField === undefined ? null : { field: voteField },
    judge: judge === undefined ? null : { ...judge },
    seed: request.seed ?? randomSeed(),
    mesh: { ...request.mesh, choices: plan.choices, ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }) }
  }
}

/** What the model with this index is asked. A model that is named again answers with another seed. */
export function memberRequest(stored: EnsembleRequest, plan: EnsemblePlan, index: number): Record<string, unknown> {
  const { models: _, strategy: _strategy, vote: _vote, judge: _judge, stream_options: _options, ...request } = stored
  const model = plan.models[index]
  const before = plan.models.slice(0, index).filter(other => other === model).length
  return { ...request, model, seed: seedAfter(stored.seed ?? 0, before), stream: isLive(stored, plan) }
}

/** Answers are shown as they come, not when all is decided. */
export function isLive({ stream }: EnsembleRequest, { strategy, choices }: EnsemblePlan): boolean {
  return stream === true && (strategy === 'fallback' || (strategy === 'all' && choices === 'all'))
}
