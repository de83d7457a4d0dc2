import t from 'tap'
import { type ChaosResult, drawPlan, FAULT_KINDS, FORMS, tabulate } from '../src/chaos/index.ts'

const MODELS = ['a', 'b']
const STAGES = 3

t.test('a seed and a number give one run; every kind, form and place comes up', async t => {
  const plans = Array.from({ length: 400 }, (_, index) => drawPlan(7, index, MODELS, STAGES))
  t.same(plans[42], drawPlan(7, 42, MODELS, STAGES))
  t.not(JSON.stringify(plans[42]?.faults), JSON.stringify(drawPlan(8, 42, MODELS, STAGES).faults))
  const faults = plans.flatMap(plan => plan.faults)
  t.same([...new Set(faults.map(({ kind }) => kind))].toSorted(), FAULT_KINDS.toSorted())
  t.same([...new Set(plans.map(({ form }) => form))].toSorted(), FORMS.toSorted())
  t.same([...new Set(faults.map(({ stage }) => stage))].toSorted(), [0, 1, 2])
  t.ok(faults.some(({ inPrompt }) => inPrompt) && plans.some(plan => plan.faults.length === 2))
  t.notOk(faults.some(({ share }) => share < 0 || share >= 1))
})

t.test('pauses are counted where a route was lost, by kind of fault', async t => {
  const result = (index: number, pauseMs: number, rest: Partial<ChaosResult> = {}): ChaosResult => {
    const plan = { ...drawPlan(1, index, MODELS, STAGES), faults: [fault] }
    return { plan, struck: 1, outcome: 'identical', pauseMs, reroutes: 1, exact: true, ...rest }
  }
  const fault = { kind: 'kill', stage: 0, inPrompt: false, share: 0.5 } as const
  const results = [
    result(0, 10),
    result(1, 30),
    result(2, 20, { exact: false, outcome: 'different' }),
    result(3, 9999, { reroutes: 0 }),
    result(4, Number.NaN, { outcome: 'failed', reroutes: 0, exact: false })
  ]
  const row = { runs: 5, identical: 3, different: 1, failed: 1, exact: 3, p50Ms: 20, p95Ms: 30, maxMs: 30 }
  t.same(tabulate(results), [
    { kind: 'kill', ...row },
    { kind: 'all', ...row }
  ])
})
