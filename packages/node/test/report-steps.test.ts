import t from 'tap'
import { reportSteps } from '../src/report-steps.ts'

const MIB = 1024 * 1024

t.test('reports come in steps of bytes or of time, and at the end', async t => {
  let nowMs = 0
  const reports: number[] = []
  const report = reportSteps({ monotonic: () => nowMs }, bytes => reports.push(bytes / MIB))
  for (const mib of [0, 1, 3.9, 4, 5, 9, 9]) report(mib * MIB, 20 * MIB)
  t.strictSame(reports, [0, 4, 9])
  nowMs += 20_000
  report(9 * MIB, 20 * MIB)
  t.strictSame(reports.splice(0), [0, 4, 9, 9], 'nothing comes, and it is at work all the same')
  report(20 * MIB, 20 * MIB)
  // what comes from elsewhere now may begin anew
  report(0, 5 * MIB)
  nowMs += 20_000
  report(2 * MIB, 5 * MIB)
  t.strictSame(reports, [20, 2])
})
