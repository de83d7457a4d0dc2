import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OfferedModel } from '@resultity/interface'
import { checkFetches } from '@resultity/test-api'
import { type ScriptedJob, ScriptedNode } from '@resultity/test-nodes'
import { pino } from 'pino'
import type { Test } from 'tap'
import { type CoordinatorInit, startCoordinator } from '../../src/index.ts'

export const CHAT = '/v1/chat/completions'
export const MODEL = 'org/qwen'
export const offer = (changes: Partial<OfferedModel> = {}): OfferedModel => ({
  name: MODEL,
  contextLength: 4096,
  endpoints: [CHAT, '/v1/completions', '/v1/embeddings'],
  jobsMax: 4,
  ...changes
})

export type Script = (job: ScriptedJob) => Promise<void>

export interface Mesh {
  readonly url: string
  readonly jobs: ScriptedJob[]
  readonly nodes: readonly ScriptedNode[]
  /** What the nodes do with the next jobs, in order; the last goes on. */
  scripts: Script[]
  post(path: string, body: object, init?: RequestInit): Promise<Response>
}

/** Says these events of an answer, or its whole. */
export function says(...events: readonly unknown[]): Script {
  return async job => {
    const streamed = requestOf(job).stream === true
    await job.send({ type: 'started', sequence: 0 })
    let sequence = 1
    if (streamed)
      for (const event of events) await job.send({ type: 'chunk', sequence: sequence++, chunk: bytes(event) })
    await job.send({ type: 'result', sequence, result: streamed ? new Uint8Array(0) : bytes(events[0]) })
  }
}

export function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

export function requestOf({ request }: ScriptedJob): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(request.body))
}

export const piece = (delta: object, finish: string | null = null, index = 0) => ({
  id: 'theirs',
  choices: [{ index, delta, finish_reason: finish }]
})

export const whole = {
  id: 'theirs',
  model: 'theirs',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Paris', secret: 1 }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10, prompt_tokens_details: { cached_tokens: 4 } }
}

export async function startMesh(
  t: Test,
  nodeCount: number,
  models: readonly string[] = [],
  offered: OfferedModel = offer(),
  limits: CoordinatorInit['limits'] = {}
): Promise<Mesh> {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-coordinator-'))
  const coordinator = await startCoordinator({
    dataDir,
    http: { host: '127.0.0.1', port: 0 },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    models,
    logger: pino({ level: 'silent' }),
    // scripted nodes have no heart
    limits: { heartbeatIntervalMs: 600_000, joinSettleMs: 0, ...limits }
  })
  const check = checkFetches(coordinator.httpUrl)
  const nodes: ScriptedNode[] = []
  const mesh: Mesh = {
    url: coordinator.httpUrl,
    jobs: [],
    nodes,
    scripts: [],
    post: (path, body, init = {}) =>
      fetch(`${coordinator.httpUrl}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        ...init
      })
  }
  t.teardown(async () => {
    await coordinator.close()
    await Promise.all(nodes.map(node => node.kill()))
    await rm(dataDir, { recursive: true, force: true })
    await check[Symbol.asyncDispose]()
  })
  for (let index = 0; index < nodeCount; index++) {
    const node = await ScriptedNode.start({
      layersOfRoom: 0,
      onJob: job => {
        mesh.jobs.push(job)
        const script = mesh.scripts.length > 1 ? mesh.scripts.shift() : mesh.scripts[0]
        void script?.(job)
      }
    })
    nodes.push(node)
    const labels = { region: `r${index}` }
    const target = { peerId: coordinator.peerId, multiaddrs: coordinator.multiaddrs() }
    await node.join(target, [await node.hello({ offered: [offered], labels })])
  }
  return mesh
}

export const question = { model: MODEL, messages: [{ role: 'user', content: 'What is the capital of France?' }] }

/** The payloads of a stream. */
export async function payloads(response: Response): Promise<string[]> {
  return [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(match => match[1] ?? '')
}
