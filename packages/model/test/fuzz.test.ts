import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { fuzzTargets, readInput } from './fuzz-targets.ts'

for (const target of fuzzTargets) {
  t.test(`damaged input for ${target.name} is refused, or read`, async t => {
    const property = fc.asyncProperty(target.input, input => readInput(target, input))
    await assertProperty(property, { numRuns: target.runs })
    t.pass(`${target.runs} inputs`)
  })
}
