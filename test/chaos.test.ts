import { ChaosMesh, describeRun, FAULT_KINDS, runChaos } from '@resultity/testkit/chaos'
import { test } from 'tap'

/** A short form with each kind of fault once; `npm run bench -- chaos` does a hundred runs, with SmolLM2 too. */
const RUNS = FAULT_KINDS.length
const STAGES = 3

test('whatever is struck while it is made, an answer is the undisturbed one', async t => {
  const mesh = await ChaosMesh.start({ models: ['tiny-chat'], nodes: 5, stages: STAGES })
  t.teardown(() => mesh[Symbol.asyncDispose]())
  const log = (line: string): void => void t.comment(line)
  const results = await runChaos(mesh, { seed: 1, runs: RUNS, stages: STAGES, tokens: 200, log })
  t.same(results.filter(({ outcome }) => outcome !== 'identical').map(describeRun), [])
  t.equal(results.length, RUNS)
  t.ok(
    results.some(({ reroutes }) => reroutes > 0),
    'some of them on another route'
  )
  if (!t.passing()) t.comment(mesh.swarm.logs())
})
