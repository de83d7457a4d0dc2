import fc from 'fast-check'
import t from 'tap'
import { fuzzTargets, readInput } from './fuzz-targets.ts'

/** The same inputs each time; `npm run fuzz` takes others. */
const SEED = 20_261_129

for (const target of fuzzTargets) {
  t.test(`damaged input for ${target.name} is refused, or read`, async t => {
    const property = fc.asyncProperty(target.input, input => readInput(target, input))
    await fc.assert(property, { seed: SEED, numRuns: target.runs, endOnFailure: true })
    t.pass(`${target.runs} inputs`)
  })
}
