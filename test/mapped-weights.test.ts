import { chmod, readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { modelManifestSchema, requireDecoder } from '@resultity/interface'
import { type Swarm, type SwarmNode, swarmFor } from '@resultity/testkit'
import { test } from 'tap'
import { ask } from './chat-client.ts'
import { eventually } from './mesh-state.ts'

const question = { model: 'tiny-chat', messages: [{ role: 'user', content: 'What is the capital of France?' }] }
const FRANCE = 'The capital of France is Paris.'

async function servingNode(swarm: Swarm): Promise<SwarmNode> {
  const [stage] = (await swarm.api.placements()).find(({ state }) => state === 'ready')?.stages ?? []
  const node = swarm.nodes.find(({ peerId }) => peerId === stage?.peerId)
  if (node === undefined) throw new Error('no node serves')
  return node
}

async function embeddingOf(swarm: Swarm): Promise<{ sha256: string; bytes: number }> {
  await using store = await FileBlobStore.open(swarm.coordinator.dataDir)
  const sha256 = String((await swarm.api.placements())[0]?.manifestSha256)
  const text = new TextDecoder().decode(await store.read(sha256))
  return requireDecoder(modelManifestSchema.parse(JSON.parse(text))).embedding
}

async function answered(swarm: Swarm): Promise<string | undefined> {
  const { answer } = await eventually(
    'an answer',
    () => ask(swarm.url, question).catch(() => ({ answer: undefined })),
    ({ answer }) => answer !== undefined
  )
  return answer?.choices[0]?.message.content ?? undefined
}

// where a file that is mapped cannot be cut short, none of this can happen
const skip = process.platform !== 'linux'

test('a weight file that is cut short while it is mapped', { skip }, async t => {
  const swarm = await swarmFor(t, { nodes: 2, stages: 1, models: ['tiny-chat'], separateBlobs: true })
  t.equal(await answered(swarm), FRANCE)
  const victim = await servingNode(swarm)
  const { sha256, bytes } = await embeddingOf(swarm)
  const path = join(victim.dataDir, 'blobs', `sha256-${sha256}`)
  t.match(await readFile(`/proc/${victim.pid}/maps`, 'utf8'), path, 'the node has it mapped')
  await chmod(path, 0o600)
  await truncate(path, 0)

  t.equal(await answered(swarm), FRANCE, 'the mesh answers on')
  const other = await servingNode(swarm)
  t.not(other.peerId, victim.peerId, 'by another node')
  await other.kill('SIGKILL')

  const again = await swarm.addNode({ args: [`--data=${victim.dataDir}`] })
  t.equal(again.peerId, victim.peerId)
  t.equal(await answered(swarm), FRANCE, 'and by the same, started again')
  t.equal((await stat(path)).size, bytes, 'which has fetched the file anew')
  t.match(again.logs().join('\n'), path, 'and said which it was')
})
