import { fileURLToPath } from 'node:url'
import { missedAims, runHostile } from '@resultity/test-attacks/hostile'
import { test } from 'tap'

const encoder = fileURLToPath(new URL('../../packages/model/test/fixtures/tiny-encoder', import.meta.url))

/** Another seed sends other cases; `npm run bench -- hostile` sends many more of them. These have every idea in them. */
const SEED = 13
const CASES = 270

test('hostile clients get typed refusals, and whoever asks honestly right answers', async t => {
  const report = await runHostile({ seed: SEED, cases: CASES, encoder, log: line => t.comment(line) })
  t.equal(report.cases, CASES)
  t.same(missedAims(report), [], 'nothing is missed; replay a case by `npm run bench -- hostile --seed 13 --case N`')
  const statuses = new Set(Object.values(report.outcomes).flatMap(counts => Object.keys(counts)))
  for (const status of ['200', '202', '400', '404']) t.ok(statuses.has(status), `${status} was among the answers`)
  t.ok(report.honest.right > 20, 'the honest client was answered all the while')
})
