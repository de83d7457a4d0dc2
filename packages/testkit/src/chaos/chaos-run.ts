import { setTimeout } from 'node:timers/promises'
import { MeshError } from '@resultity/interface'
import { askOnce, isStreamed, type Question, type SeenAnswer } from './chaos-answer.ts'
import type { ChaosMesh } from './chaos-mesh.ts'
import { type ChaosFault, type ChaosPlan, drawPlan } from './chaos-plan.ts'

export interface ChaosInit {
  readonly seed: number
  /** Runs, from number `first` on. */
  readonly runs: number
  readonly first?: number
  readonly stages: number
  /** Tokens of an answer, by model; the others have `tokens`. */
  readonly tokens: number
  readonly log: (line: string) => void
}

/** What came of one run. */
export interface ChaosResult {
  readonly plan: ChaosPlan
  /** Faults that happened: a route may be struck no more when its answer is through. */
  readonly struck: number
  /** `identical`: each token and its probability as in the undisturbed run. */
  readonly outcome: 'identical' | 'different' | 'failed'
  /** Beyond what the undisturbed answer took where the fault fell. */
  readonly pauseMs: number
  readonly reroutes: number
  readonly exact: boolean
  /** With `failed` and `different`. */
  readonly what?: string
}

const UNDISTURBED_ROUNDS_MAX = 5

/** Runs answers and faults on a mesh, one after the other, and compares each with the undisturbed one. */
export async function runChaos(mesh: ChaosMesh, init: ChaosInit): Promise<ChaosResult[]> {
  const { seed, runs, first = 0, stages, tokens, log } = init
  const models = await mesh.models()
  const undisturbed = new Map<string, SeenAnswer>()
  const results: ChaosResult[] = []
  for (let index = first; index < first + runs; index++) {
    const plan = drawPlan(seed, index, models, stages)
    const { model, form } = plan
    const question = { model, form, tokens }
    if (index > first) await mesh.restore()
    const usual = undisturbed.get(`${model} ${form}`) ?? (await askUndisturbed(mesh, question))
    undisturbed.set(`${model} ${form}`, usual)
    const result = await runOnce(mesh, plan, usual, tokens)
    results.push(result)
    log(describeRun(result))
  }
  return results
}

/** On a busy machine a node may stand still for as long as one that hangs, and is left as such. */
async function askUndisturbed(mesh: ChaosMesh, question: Question): Promise<SeenAnswer> {
  // the first of a kind compiles and warms
  await askOnce(mesh.swarm.url, question)
  for (let round = 1; round <= UNDISTURBED_ROUNDS_MAX; round++) {
    const seen = await askOnce(mesh.swarm.url, question)
    if (seen.reroutes === 0) return seen
    await mesh.restore()
  }
  throw new MeshError('internal', 'answers are taken round again and again though nothing has happened')
}

async function runOnce(mesh: ChaosMesh, plan: ChaosPlan, usual: SeenAnswer, tokens: number): Promise<ChaosResult> {
  const question: Question = { model: plan.model, form: plan.form, tokens }
  const striking: Promise<string | undefined>[] = []
  const strike = ({ kind, stage }: ChaosFault): void => {
    if (kind !== 'coordinator') striking.push(mesh.strike(kind, plan.model, stage))
  }
  const over = new AbortController()
  const waiting = plan.faults.filter(fault => fault.inPrompt || !isStreamed(plan.form))
  for (const fault of waiting) {
    const ms = fault.share * (fault.inPrompt ? usual.firstMs : usual.ms)
    setTimeout(ms, undefined, { signal: over.signal }).then(
      () => strike(fault),
      () => undefined
    )
  }
  const atPiece = plan.faults.filter(fault => !waiting.includes(fault))
  let pieces = 0
  const onPiece = (): void => {
    pieces++
    for (const fault of atPiece) if (pieces === 1 + Math.floor(fault.share * usual.pieces)) strike(fault)
  }
  const ended = await askOnce(mesh.swarm.url, question, onPiece).catch((error: unknown) => MeshError.from(error))
  over.abort()
  const struck = (await Promise.all(striking)).filter(peerId => peerId !== undefined).length
  if (ended instanceof MeshError) {
    return { plan, struck, outcome: 'failed', pauseMs: Number.NaN, reroutes: 0, exact: false, what: ended.message }
  }
  const { reroutes, exact } = ended
  const pauseMs = Math.max(0, pauseOf(plan, ended, usual))
  const same = ended.said === usual.said
  const what = same ? {} : { what: firstDifference(usual.said, ended.said) }
  return { plan, struck, outcome: same ? 'identical' : 'different', pauseMs, reroutes, exact, ...what }
}

export function pauseOf({ form, faults }: ChaosPlan, seen: SeenAnswer, usual: SeenAnswer): number {
  if (!isStreamed(form)) return seen.ms - usual.ms
  const first = seen.firstMs - usual.firstMs
  return faults.some(({ inPrompt }) => inPrompt) ? Math.max(first, seen.gapMs) : seen.gapMs
}

export function firstDifference(usual: string, seen: string): string {
  let at = 0
  while (at < usual.length && usual[at] === seen[at]) at++
  return `at ${at}: ${usual.slice(at, at + 80)} <> ${seen.slice(at, at + 80)}`
}

/** One run in a line. */
export function describeRun({ plan, struck, outcome, pauseMs, reroutes, exact, what }: ChaosResult): string {
  const faults = plan.faults.map(({ kind, stage, inPrompt, share }) => {
    const whose = kind === 'coordinator' ? '' : ` of stage ${stage}`
    return `${kind}${whose} at ${inPrompt ? 'prompt ' : ''}${share.toFixed(2)}`
  })
  const facts = `${plan.index}: ${plan.model}, ${plan.form}: ${faults.join(', ')}: ${outcome}, ${struck} struck`
  const rest = `${reroutes} reroutes${exact ? '' : ', not exact'}, pause ${pauseMs.toFixed(0)} ms`
  return [facts, rest, ...(what === undefined ? [] : [what.slice(0, 400)])].join(', ')
}
