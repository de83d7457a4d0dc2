import { rmSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { requireDecoder } from '@resultity/interface'
import { importModel, parseModelReference } from '@resultity/model'
import { checkFetches } from '@resultity/test-api'
import { ScriptedNode, ScriptedRing } from '@resultity/test-nodes'
import { loadTokenizer, type ModelTokenizer } from '@resultity/tokenizer'
import { pino } from 'pino'
import { type CoordinatorInit, type RunningCoordinator, startCoordinator } from '../../src/index.ts'

/** A real coordinator serving tiny-chat to scripted nodes on this machine. */
export interface ScriptedMesh extends AsyncDisposable {
  readonly coordinator: RunningCoordinator
  readonly nodes: readonly ScriptedNode[]
  readonly ring: ScriptedRing
  readonly tokenizer: ModelTokenizer
  post(body: unknown, options?: RequestInit): Promise<Response>
  /** Resolves once some placement with this many stages is ready. */
  ready(stages: number): Promise<void>
}

export const CHAT = '/v1/chat/completions'

/** A question that every test may ask. */
export const QUESTION = { model: 'tiny-chat', messages: [{ role: 'user', content: 'What is this?' }] }

export async function startScriptedMesh(
  nodeCount: number,
  overrides: Partial<CoordinatorInit> = {}
): Promise<ScriptedMesh> {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-coordinator-'))
  await cp(await importedTinyChat(), overrides.dataDir ?? dataDir, { recursive: true, force: false })
  const coordinator = await startCoordinator({
    dataDir,
    http: { host: '127.0.0.1', port: 0 },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    models: ['tiny-chat'],
    stages: nodeCount,
    logger: pino({ level: 'silent' }),
    ...overrides,
    // scripted nodes have no heart
    limits: { heartbeatIntervalMs: 600_000, ...overrides.limits }
  }).catch(async (error: unknown) => {
    await rm(dataDir, { recursive: true, force: true })
    throw error
  })
  const check = checkFetches(coordinator.httpUrl)
  const ring = new ScriptedRing(({ sample, open }) => sample(Array(open.tokensMax).fill(5), 'tokens_max'))
  const nodes: ScriptedNode[] = []
  for (let index = 0; index < nodeCount; index++) {
    const node = await ScriptedNode.start({ onSession: ring.onSession })
    await node.join({ peerId: coordinator.peerId, multiaddrs: coordinator.multiaddrs() })
    nodes.push(node)
  }
  const mesh: ScriptedMesh = {
    coordinator,
    nodes,
    ring,
    tokenizer: await tinyChatTokenizer(),
    post: (body, options = {}) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      return fetch(`${coordinator.httpUrl}${CHAT}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
        ...options
      })
    },
    ready: async stages => {
      // asking for that many stages waits until they are placed
      const body = { ...QUESTION, max_tokens: 1, mesh: { stages } }
      const response = await mesh.post(body)
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
      await response.text()
    },
    [Symbol.asyncDispose]: async () => {
      await coordinator.close()
      await Promise.all(nodes.map(node => node.kill()))
      await rm(dataDir, { recursive: true, force: true })
      await check[Symbol.asyncDispose]()
    }
  }
  if (nodeCount > 0) await mesh.ready(nodeCount)
  return mesh
}

let imported: Promise<string> | undefined

/** A data directory with tiny-chat and nothing else. Every mesh of this process begins with a copy, and imports nothing. */
function importedTinyChat(): Promise<string> {
  imported ??= (async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'resultity-imported-'))
    process.once('exit', () => rmSync(dataDir, { recursive: true, force: true }))
    await using store = await FileBlobStore.open(dataDir)
    await importModel(parseModelReference('tiny-chat'), { dataDir, store })
    return dataDir
  })()
  return imported
}

async function tinyChatTokenizer(): Promise<ModelTokenizer> {
  const dataDir = await importedTinyChat()
  await using store = await FileBlobStore.open(dataDir)
  const { manifest } = await importModel(parseModelReference('tiny-chat'), { dataDir, store })
  return loadTokenizer(requireDecoder(manifest), store)
}

/** The data of every event of a whole event stream, and what its raw pieces were. */
export async function readEvents(response: Response): Promise<string[]> {
  const text = await response.text()
  const events = text.split('\n\n').filter(block => block !== '' && !block.startsWith(':'))
  return events.map(block => {
    const [, data] = /^data: (.*)(\nid: \d+)?$/.exec(block) ?? []
    if (data === undefined) throw new Error(`not one data line: ${block}`)
    return data
  })
}
