import { startPostgres } from '@resultity/test-postgres'
import { CoordinatorMesh, describeRun, runCoordinatorChaos } from '@resultity/testkit/chaos'
import { test } from 'tap'

/** Its kill falls in the midst of the answer. On SQLite `test/resumed-answers.test.ts` kills it in the midst of several. */
const SEED = 8

test('what one coordinator has begun, another on the same database goes on with', async t => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const postgresUrl = await server.createDatabase()
  const mesh = await CoordinatorMesh.start({ models: ['tiny-chat'], nodes: 2, stages: 2, postgresUrl })
  t.teardown(() => mesh[Symbol.asyncDispose]())
  const log = (line: string): void => void t.comment(line)
  const results = await runCoordinatorChaos(mesh, { seed: SEED, runs: 1, tokens: 400, log })
  t.same(results.filter(({ outcome, struck }) => outcome !== 'identical' || struck === 0).map(describeRun), [])
  t.match(results, [{ reroutes: 1, exact: true }])
  for (const { resumedTokens } of results) t.ok(resumedTokens > 20, `${resumedTokens} tokens were not made again`)
  if (!t.passing()) t.comment(mesh.swarm.logs())
})
