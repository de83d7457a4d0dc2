import { testSeed } from '@resultity/test-property'
import t from 'tap'
import { simulate } from '../src/index.ts'

const PLANTED = 'token-twice-after-link-fault'

t.test('one seed is one run, to the last event', async t => {
  for (const init of [{ seed: testSeed() }, { seed: testSeed() + 1, nodeCount: 20 }]) {
    const [first, second] = [await simulate(init), await simulate(init)]
    t.equal(first.digest, second.digest)
    t.same(first, second)
    t.ok(first.steps > 1000)
  }
})

t.test('a planted bug is found, and its seed finds it again', async t => {
  for (let index = 0; index < 200; index++) {
    const seed = testSeed() + index
    const found = await simulate({ seed, faultsMs: 20_000, plantedBug: PLANTED })
    if (found.violation === undefined) continue
    t.match(found.violation.message, /^request \d+ got \d+ as token \d+, it is \d+$/, `seed ${seed}`)
    const [name = ''] = /^request \d+/.exec(found.violation.message) ?? []
    t.match(found.events.slice(-20).join('\n'), new RegExp(`${name}: token`), 'what went before is shown')
    const again = await simulate({ seed, faultsMs: 20_000, plantedBug: PLANTED })
    t.equal(again.violation?.message, found.violation.message)
    t.equal(again.digest, found.digest)
    const without = await simulate({ seed, faultsMs: 20_000 })
    t.equal(without.violation, undefined, 'without it nothing is wrong')
    return
  }
  t.fail('200 seeds did not find it')
})
