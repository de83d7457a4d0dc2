import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { swarmFor } from '@resultity/testkit'
import { test } from 'tap'

const bin = fileURLToPath(import.meta.resolve('@resultity/cli/bin/resultity.js'))

/** What becomes of an invite at the coordinator is tested in `packages/placement`: nodes of this machine need none. */
test('a node joins where an invite says', async t => {
  const swarm = await swarmFor(t, { nodes: 0 })
  const made = await run('invite', '--url', swarm.url, '--label', 'attic', '--expires', '5m')
  t.equal(made.code, 0)
  const token = made.stdout.trim()
  t.match(token, /^rinvite_\S+$/, 'alone on standard output')
  t.match(made.stderr, /one node, until/)
  await swarm.addNode({ join: [token] })
  await swarm.untilNodes(1)

  const listed = await run('invite', 'list', '--url', swarm.url)
  t.match(listed.stdout, /attic .* 0 of 1/, 'and took none, being on this machine')
  const [id = ''] = /[0-9a-f]{16}/.exec(listed.stdout) ?? []
  t.match(await run('invite', 'revoke', id, '--url', swarm.url), { code: 0, stdout: `${id} is revoked` })
  t.match(await run('invite', 'remove', '12D3KooWnobody', '--url', swarm.url), { code: 1, stderr: /came by an invite/ })
  t.match(await run('invite', '--url', swarm.url, '--uses', 'none'), { code: 2, stderr: /--uses: expected/ })
})

test('a node does not start with an invite that is no good', async t => {
  const data = t.testdir({})
  const refused = await run('node', '--data', data, '--listen', '/ip4/127.0.0.1/tcp/0', '--join', 'rinvite_AAAA')
  t.match(refused, { code: 1, stderr: /no valid invite/ })
  t.match(await run('node', '--data', data, '--join', 'rinvite_A/B'), { code: 2, stderr: /--join/ })
})

async function run(...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}
