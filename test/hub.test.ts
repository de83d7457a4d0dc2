import { readdirSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '@resultity/test-api'
import { type ServedFile, servedBytes, TestHub } from '@resultity/test-hub'
import { type Swarm, swarmFor } from '@resultity/testkit'
import { type Test, test } from 'tap'
import { ask } from './chat-client.ts'

const TINY_CHAT = fileURLToPath(new URL('../../packages/model/models/tiny-chat', import.meta.url))
const REPOSITORY = 'org/tiny-chat'

interface Golden {
  readonly prompt: string
  readonly completion: string
}

function files(): Record<string, ServedFile> {
  const names = readdirSync(TINY_CHAT).filter(name => name !== 'golden.json')
  return Object.fromEntries(names.map(name => [name, servedBytes(readFileSync(join(TINY_CHAT, name)))]))
}

/** A mesh whose coordinator leaves even small models to its nodes. */
async function meshOf(t: Test, hub: TestHub, nodes: number): Promise<Swarm> {
  return swarmFor(t, {
    nodes,
    stages: 2,
    models: [`hf:${REPOSITORY}`],
    separateBlobs: true,
    env: { HF_ENDPOINT: hub.url, HF_TOKEN: 'hf_secret' },
    coordinatorArgs: ['--import-max=1']
  })
}

async function answersAsGolden(t: Test, swarm: Swarm, stages = 2): Promise<void> {
  const golden: Golden[] = JSON.parse(await readFile(join(TINY_CHAT, 'golden.json'), 'utf8'))
  for (const { prompt, completion } of golden.slice(0, 4)) {
    const turns = [...prompt.matchAll(/<\|(system|user|assistant)\|>\n(.*?)<\|end\|>/gs)]
    const messages = turns.map(([, role = '', content = '']) => ({ role, content }))
    const { answer } = await ask(swarm.url, { model: REPOSITORY, messages, mesh: { stages } })
    t.equal(answer.choices[0]?.message.content, completion)
  }
}

/** Bytes on the disk that a coordinator or node keeps of weights: blobs, and what is being fetched. */
function weightBytesIn(directory: string): number {
  const all = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const kept = all.filter(path => /(^|\/)(sha256-|\d+\.spool$|model.*safetensors)/.test(path))
  return kept.reduce((sum, path) => sum + statSync(join(directory, path)).size, 0)
}

test('nodes make the layers of a large model from a hub, and answer as with a whole import; one of them dies meanwhile', async t => {
  const served = files()
  const weights = served['model.safetensors']?.bytes ?? 0
  await using hub = await TestHub.start({ repository: REPOSITORY, files: served, token: 'hf_secret' })
  const swarm = await meshOf(t, hub, 0)
  const headerBytes = hub.bytesSent
  t.ok(hub.requests.every(({ withToken }) => withToken))
  // no node comes to its end as long as this holds
  hub.faults.stallAfter = 100_000
  const [, doomed] = [await swarm.addNode(), await swarm.addNode()]
  await eventually(
    'both nodes fetch',
    async () => hub.stalled,
    stalled => stalled >= 2
  )
  await swarm.addNode()
  await swarm.untilNodes(3)
  await doomed.kill('SIGKILL')
  hub.release()
  await swarm.untilPlaced(({ state, stages }) => state === 'ready' && stages.length === 2)
  await answersAsGolden(t, swarm)

  const small = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json']
  const smallBytes = small.reduce((sum, name) => sum + (served[name]?.bytes ?? 0), 0)
  const nodes = 3 * (64 * 1024 + (served['config.json']?.bytes ?? 0))
  // the embedding is tied, so both ends need it; and one node was killed in the middle of its part
  const embedding = 768 * 128 * 4
  t.ok(headerBytes <= smallBytes + 64 * 1024, `the coordinator read ${headerBytes} bytes`)
  t.ok(hub.bytesSent <= headerBytes + nodes + 2 * (weights + embedding), `${hub.bytesSent} bytes in all`)
  const tokenizer = (served['tokenizer.json']?.bytes ?? 0) + (served['tokenizer_config.json']?.bytes ?? 0)
  t.ok(weightBytesIn(swarm.coordinator.dataDir) < tokenizer + 64 * 1024, 'the coordinator keeps no weights')

  await t.test('a node that asks no hub takes layers from its peers once they are made', async t => {
    const node = await swarm.addNode({ args: ['--hub=off'] })
    await swarm.untilNodes(3)
    await answersAsGolden(t, swarm, 3)
    const records = JSON.parse(await readFile(join(node.dataDir, 'hub', 'contents.json'), 'utf8'))
    const held = Object.values<{ sha256: string; verified: boolean }>(records)
    t.ok(held.length > 0)
    t.ok(
      held.every(({ verified }) => !verified),
      'it made none of them itself'
    )
  })
})
