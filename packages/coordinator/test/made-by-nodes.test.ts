import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileBlobStore } from '@resultity/blobs'
import { type FileContent, recipeOf, requireDecoder, stageFiles, weightFiles } from '@resultity/interface'
import { convertModel, importModel, parseModelReference, readTokenizerFiles } from '@resultity/model'
import { eventually } from '@resultity/test-api'
import { servedBytes, TestHub } from '@resultity/test-hub'
import { readyReport, ScriptedNode } from '@resultity/test-nodes'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { startCoordinator } from '../src/index.ts'

const TINY_CHAT = fileURLToPath(new URL('../../../model/models/tiny-chat', import.meta.url))
const MODEL = 'org/tiny-chat'

/** What a node says of a file, of which it gets the truth. */
type Report = (content: FileContent, index: number) => FileContent

interface ShownPlacement {
  readonly state: string
  readonly stages: readonly { readonly peerId: string; readonly error: string | null }[]
}

async function startHub(): Promise<TestHub> {
  const names = readdirSync(TINY_CHAT).filter(name => name !== 'golden.json')
  const files = Object.fromEntries(names.map(name => [name, servedBytes(readFileSync(join(TINY_CHAT, name)))]))
  return await TestHub.start({ repository: MODEL, files })
}

/** A coordinator that serves a model whose layers nodes make, and what these layers hold in truth. */
async function setUp(t: Test, hub: TestHub) {
  const dataDir = join(t.testdir(), 'coordinator')
  const coordinator = await startCoordinator({
    dataDir,
    http: { host: '127.0.0.1', port: 0 },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    models: [`hf:${MODEL}`],
    hub: { url: hub.url },
    importMaxBytes: 1,
    stages: 1,
    logger: pino({ level: 'silent' }),
    limits: { heartbeatIntervalMs: 600_000, assignmentRetryMs: 100, joinSettleMs: 10 }
  })
  t.teardown(() => coordinator.close())
  await using store = await FileBlobStore.open(dataDir)
  const options = { dataDir, store, hub: { hubUrl: hub.url }, describeFrom: 1 }
  const { manifest } = await importModel(parseModelReference(`hf:${MODEL}`), options)
  t.ok(recipeOf(manifest))
  const tokenizerFiles = await readTokenizerFiles(TINY_CHAT)
  await using other = await FileBlobStore.open(join(t.testdirName, 'whole'))
  const whole = await convertModel(TINY_CHAT, { store: other, name: MODEL, tokenizerFiles })
  const names = weightFiles(manifest).map(({ sha256 }) => sha256)
  const hashes = new Map(weightFiles(whole.manifest).map(({ sha256 }, at) => [names[at], sha256]))

  /** A node that says of what it makes what `say` says. */
  const addNode = async (say: Report): Promise<ScriptedNode> => {
    const node = await ScriptedNode.start({
      onAssign: ({ placementId, range }) => {
        const files = stageFiles(requireDecoder(manifest), range)
        const contents = files.map(({ sha256: file }) =>
          say({ file, sha256: hashes.get(file) ?? '', verified: true }, names.indexOf(file))
        )
        return { ...readyReport(placementId), contents }
      }
    })
    t.teardown(() => node.kill())
    await node.join({ peerId: coordinator.peerId, multiaddrs: coordinator.multiaddrs() })
    return node
  }
  const placements = async (): Promise<readonly ShownPlacement[]> => {
    const { data } = await (await fetch(`${coordinator.httpUrl}/v1/mesh/placements`)).json()
    return data
  }
  const readyOn = (node: ScriptedNode): Promise<unknown> =>
    eventually('a placement is ready', placements, all =>
      all.some(({ state, stages }) => state === 'ready' && stages.every(({ peerId }) => peerId === node.peerId))
    )
  /** Makes the coordinator place the model on so many nodes. */
  const place = async (stages: number): Promise<void> => {
    const body = { model: MODEL, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1, mesh: { stages } }
    const headers = { 'content-type': 'application/json' }
    const url = `${coordinator.httpUrl}/v1/chat/completions`
    await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(300) }).catch(
      () => undefined
    )
  }
  return { addNode, readyOn, place, hashes, dataDir }
}

const honest: Report = content => content
/** Of the first and the last layer: one of them is in whatever another node is given. */
const lying: Report = (content, index) => ([1, 4].includes(index) ? { ...content, sha256: 'f'.repeat(64) } : content)

t.test('a liar that came first loses the model once an honest node has made the same layers', async t => {
  await using hub = await startHub()
  const { addNode, readyOn, place, dataDir } = await setUp(t, hub)
  const liar = await addNode(lying)
  await readyOn(liar)
  const sent = hub.bytesSent
  const node = await addNode(honest)
  await place(2)
  await readyOn(node)
  t.ok(hub.bytesSent > sent, 'the coordinator has seen for itself')
  t.notOk(existsSync(join(dataDir, 'judging')), 'and keeps nothing of it')
})

t.test('what is known is told with the assignment, and a liar that comes second serves nothing', async t => {
  await using hub = await startHub()
  const { addNode, readyOn, place, hashes } = await setUp(t, hub)
  const node = await addNode(honest)
  await readyOn(node)
  const liar = await addNode(lying)
  await place(2)
  const [told] = await eventually(
    'the liar is given layers',
    async () => liar.assigned,
    assigned => assigned.length > 0
  )
  t.ok((told?.contents?.length ?? 0) > 0)
  for (const { file, sha256, verified } of told?.contents ?? []) {
    t.equal(sha256, hashes.get(file))
    t.notOk(verified, 'one node alone has made it')
  }
  await readyOn(node)
})
