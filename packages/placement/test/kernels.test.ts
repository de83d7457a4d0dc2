import { placeable } from '@resultity/test-nodes'
import t from 'tap'
import { computeAlike } from '../src/placement/kernels.ts'
import { oneForAll } from '../src/placement/node-pool.ts'
import { Placement } from '../src/placement/placement.ts'
import { report } from './support/director.ts'

/** `a0-2:x:t`: layers 0 and 1 are on a, whose kernels are of class x, and whose self-test came out as t. */
function placed(...stages: string[]): Placement {
  const parts = stages.map(stage => {
    const [, peerId = '', first, end, kernels = '', test = ''] = /^(.)(\d)-(\d):(.?):(.?)$/.exec(stage) ?? []
    return { peerId, range: { first: Number(first), end: Number(end) }, kernels, test }
  })
  const plan = {
    stages: parts.map(({ peerId, range, kernels }) => ({
      ...{ peerId, range, memoryBytes: 1, computeMs: 1, hopMs: 1 },
      ...(kernels === '' ? {} : { kernels })
    })),
    tokenMs: 1,
    bottleneckMs: 1,
    bytesToMove: 0
  }
  const model = placeable(4)
  const placement = new Placement({ id: 'p', model, pool: oneForAll.general, purpose: 'default', plan, nowMs: 0 })
  for (const { peerId, test } of parts) placement.report(peerId, { ...report('ready'), selfTestSha256: test }, 0)
  return placement
}

t.test('two placements compute alike as far as is known', async t => {
  const cases: [before: string[], after: string[], alike: boolean, why: string][] = [
    [['a0-2:x:1', 'b2-4:x:2'], ['a0-2:x:1', 'c2-4:x:2'], true, 'the same class, the same self-test'],
    [['a0-2:x:1', 'b2-4:x:2'], ['a0-2:x:1', 'c2-4:y:2'], true, 'the self-test is of these layers, the probe of others'],
    [['a0-2:x:1', 'b2-4:x:2'], ['a0-2:x:1', 'c2-4:x:3'], false, 'and it is believed when it came out otherwise'],
    [['a0-2:x:1', 'b2-4:x:2'], ['c0-4:x:9'], true, 'of another cut the probe says it'],
    [['a0-2:x:1', 'b2-4:y:2'], ['c0-4:x:9'], false, 'for each layer'],
    [['a0-2:x:1', 'b2-4:y:2'], ['c0-2:x:1', 'd2-4:y:2'], true, 'each layer has its class'],
    [['a0-2:x:1', 'b2-4:x:2'], ['a0-2:x:1', 'c2-4::'], true, 'of an older node nothing is known'],
    [['a0-2:x:1', 'b2-4:x:2'], ['b0-2:y:7', 'a2-4:x:2'], false, 'a node that took other layers'],
    [['a0-4:x:1'], ['a0-4:x:2'], true, 'the same node is itself']
  ]
  for (const [before, after, alike, why] of cases)
    t.equal(computeAlike(placed(...before), placed(...after)), alike, why)
})
