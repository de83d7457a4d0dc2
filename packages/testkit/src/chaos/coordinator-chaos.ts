import { setTimeout } from 'node:timers/promises'
import { MeshError } from '@resultity/interface'
import { askPromised, type PromisedAnswer } from './acknowledged-answer.ts'
import { isStreamed, type Question } from './chaos-answer.ts'
import { type ChaosPlan, drawCoordinatorPlan } from './chaos-plan.ts'
import { type ChaosInit, type ChaosResult, describeRun, firstDifference, pauseOf } from './chaos-run.ts'
import type { CoordinatorMesh } from './coordinator-mesh.ts'

/** What came of one run. */
export interface CoordinatorChaosResult extends ChaosResult {
  /** Tokens that the attempt after the kill did not have made again. */
  readonly resumedTokens: number
}

/** Kills the coordinator while it makes answers that it has promised, and compares each with the undisturbed one. */
export async function runCoordinatorChaos(
  mesh: CoordinatorMesh,
  { seed, runs, first = 0, tokens, log }: Omit<ChaosInit, 'stages'>
): Promise<CoordinatorChaosResult[]> {
  const models = (await mesh.swarm.api.models()).map(({ id }) => id)
  const undisturbed = new Map<string, PromisedAnswer>()
  const results: CoordinatorChaosResult[] = []
  for (let index = first; index < first + runs; index++) {
    const plan = drawCoordinatorPlan(seed, index, models)
    const { model, form } = plan
    if (index > first) await mesh.restore()
    const question = { model, form, tokens }
    const usual = undisturbed.get(`${model} ${form}`) ?? (await askUndisturbed(mesh, question))
    undisturbed.set(`${model} ${form}`, usual)
    const result = await runOnce(mesh, plan, usual, tokens)
    results.push(result)
    log(`${describeRun(result)}, ${result.resumedTokens} tokens not made again`)
  }
  return results
}

async function askUndisturbed(mesh: CoordinatorMesh, question: Question): Promise<PromisedAnswer> {
  // the first of a kind compiles and warms
  await askPromised(() => mesh.url, question)
  return await askPromised(() => mesh.url, question)
}

async function runOnce(
  mesh: CoordinatorMesh,
  plan: ChaosPlan,
  usual: PromisedAnswer,
  tokens: number
): Promise<CoordinatorChaosResult> {
  const { model, form, faults } = plan
  const share = faults[0]?.share ?? 0
  let striking: Promise<void> | undefined
  const strike = (): void => {
    striking ??= mesh.strike()
  }
  const over = new AbortController()
  if (!isStreamed(form)) setTimeout(share * usual.ms, undefined, { signal: over.signal }).then(strike, () => {})
  let pieces = 0
  const onPiece = (): void => {
    if (++pieces >= 1 + Math.floor(share * usual.pieces)) strike()
  }
  const ended = await askPromised(() => mesh.url, { model, form, tokens }, onPiece).catch(MeshError.from)
  over.abort()
  await striking
  const struck = striking === undefined ? 0 : 1
  if (ended instanceof MeshError) {
    const none = { pauseMs: Number.NaN, reroutes: 0, exact: false, resumedTokens: 0 }
    return { plan, struck, outcome: 'failed', ...none, what: ended.message }
  }
  const { reroutes, exact, resumedTokens } = ended
  const same = ended.said === usual.said
  const what = same ? {} : { what: firstDifference(usual.said, ended.said) }
  const pauseMs = Math.max(0, pauseOf(plan, ended, usual))
  return { plan, struck, outcome: same ? 'identical' : 'different', pauseMs, reroutes, exact, resumedTokens, ...what }
}
