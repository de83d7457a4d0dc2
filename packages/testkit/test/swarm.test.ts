import { existsSync } from 'node:fs'
import t from 'tap'
import { startSwarm, swarmFor } from '../src/index.ts'

function alive(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`)
}

t.test('a swarm grows, loses its coordinator, and is gone without a trace', async t => {
  const swarm = await startSwarm({ nodes: 1, separateBlobs: true })
  const first = swarm.coordinator
  t.ok(
    [first.url, ...first.multiaddrs].every(address => Number(/\d+(?=\/p2p|$)/.exec(address)?.[0]) < 32_768),
    'its ports are none that a connection of anybody is given while it is down'
  )
  await swarm.addNode()
  await swarm.untilNodes(2)

  await swarm.restartCoordinator('SIGKILL')
  t.notOk(alive(first.pid))
  t.equal(swarm.url, first.url, 'at the same address')
  t.equal(swarm.coordinator.peerId, first.peerId, 'the same peer')
  await swarm.untilNodes(2)
  await swarm.untilPlaced()

  const [killed] = swarm.nodes
  await killed?.kill('SIGKILL')
  await swarm.untilNodes(1)
  t.match(swarm.logs(), /--- coordinator \(\d+\)\n\{/)

  const pids = [swarm.coordinator.pid, ...swarm.nodes.map(node => node.pid)]
  await swarm.stop()
  t.notOk(pids.some(alive))
  t.notOk(existsSync(swarm.directory))
})

t.test('a node that hangs is lost after the silence that is set, and joins again when it goes on', async t => {
  const swarm = await swarmFor(t, { nodes: 1, coordinatorArgs: ['--node-silence=1'] })
  const [node] = swarm.nodes
  process.kill(Number(node?.pid), 'SIGSTOP')
  await swarm.untilNodes(0)
  process.kill(Number(node?.pid), 'SIGCONT')
  await swarm.untilNodes(1)
  t.equal((await swarm.api.nodes())[0]?.peerId, node?.peerId)
})

t.test('a swarm whose start fails says why and leaves nothing', async t => {
  await t.rejects(startSwarm({ models: ['no-such-model'] }), { code: 'model_not_found', hint: /tiny-chat/ })
})

t.test('a swarm of no nodes has a coordinator that answers', async t => {
  const swarm = await swarmFor(t, { nodes: 0 })
  t.strictSame(
    (await swarm.api.models()).map(model => model.id),
    ['tiny-chat']
  )
  t.strictSame(await swarm.api.nodes(), [])
})
