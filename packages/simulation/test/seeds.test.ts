import { testSeed } from '@resultity/test-property'
import t from 'tap'
import { type SimulationReport, simulate } from '../src/index.ts'

const SEEDS = 200
/** Of virtual time: enough for some faults a seed, and for all kinds of them in all seeds. */
const FAULTS_MS = 12_000

t.test(`${SEEDS} seeds: whatever goes wrong, each token comes once, requests end, and all is free again`, async t => {
  const reports: SimulationReport[] = []
  for (let index = 0; index < SEEDS; index++) {
    reports.push(await simulate({ seed: testSeed() + index, faultsMs: FAULTS_MS }))
  }
  const broken = reports.filter(({ violation }) => violation !== undefined)
  for (const { events, seed } of broken.slice(0, 1)) t.comment(`seed ${seed}:\n${events.slice(-60).join('\n')}`)
  t.same(
    broken.map(({ seed, violation }) => `seed ${seed}: ${violation?.message}`),
    []
  )
  const count = (outcome: 'answered' | 'failed' | 'abandoned'): number =>
    reports.reduce((sum, { requests }) => sum + requests[outcome], 0)
  t.ok(count('answered') > 10 * SEEDS, `${count('answered')} were answered`)
  t.ok(count('failed') > SEEDS / 2, `${count('failed')} failed with a code`)
  t.ok(count('abandoned') > 0, `${count('abandoned')} had their coordinator crash`)
  const resumed = reports.reduce((sum, report) => sum + report.resumed, 0)
  t.ok(resumed > 0, `${resumed} were answered though their coordinator crashed`)
  const takenOver = reports.reduce((sum, report) => sum + report.takenOver, 0)
  t.ok(takenOver > 0, `${takenOver} tokens of them were not made again`)
  const reused = reports.reduce((sum, report) => sum + report.reused, 0)
  t.ok(reused > SEEDS, `${reused} began with what stages had kept`)
  t.equal(new Set(reports.map(({ digest }) => digest)).size, SEEDS, 'no two alike')
})
