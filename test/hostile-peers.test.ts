import {
  AttackRun,
  HonestCallers,
  missedAttackAims,
  ProcessWatch,
  startAttackedMesh
} from '@resultity/test-attacks/attacks'
import { test } from 'tap'
import { eventually } from './mesh-state.ts'

/** Each attack at least once; `npm run bench -- attacks` tries them for minutes, and measures. */
const SEED = 1

test('peers attack a mesh in every way, each is refused, and honest peers and callers get what they want', async t => {
  const { swarm, ground } = await startAttackedMesh()
  t.teardown(async () => {
    if (!t.passing()) t.comment(swarm.logs())
    await swarm.stop()
  })
  const honest = await HonestCallers.start(swarm.url)
  await honest.askUntil(AbortSignal.abort(), 1)
  const { coordinator, nodes } = swarm
  const watch = new ProcessWatch([{ name: 'coordinator', pid: coordinator.pid }, ...nodes])
  const run = await AttackRun.begin(ground, { seed: SEED })
  const over = new AbortController()
  const asking = honest.askUntil(over.signal, 1)
  const joining = swarm.addNode({ join: [ground.invite] })
  await run.attackUntil(AbortSignal.abort())
  const { peerId } = await joining
  const present = await eventually(
    'the node that joined meanwhile',
    async () => (await swarm.api.nodes()).map(node => node.peerId),
    ids => ids.includes(peerId)
  )
  over.abort()
  await asking
  await run[Symbol.asyncDispose]()
  for (const { name, tries, seen } of run.rows) t.comment(`${name}: ${tries} tries, ${JSON.stringify(seen)}`)
  const missed = missedAttackAims({
    rows: run.rows,
    right: honest.right,
    faults: honest.faults,
    nodesLeft: nodes.map(node => node.peerId).filter(id => !present.includes(id)),
    processes: await watch.stop()
  })
  t.same(missed, [])
})
