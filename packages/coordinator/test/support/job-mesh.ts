import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ScriptedJob, ScriptedNode } from '@resultity/test-nodes'
import { pino } from 'pino'
import type { Test } from 'tap'
import { type CoordinatorInit, startCoordinator } from '../../src/index.ts'

/** What a node does with a job. */
export type JobScript = (job: ScriptedJob) => void | Promise<void>

/** A real coordinator, and scripted nodes on this machine that do whole jobs. */
export interface JobMesh {
  readonly url: string
  readonly dataDir: string
  readonly nodes: readonly ScriptedNode[]
  readonly jobs: readonly ScriptedJob[]
  /** What the next job does. */
  script: JobScript
  /** As it was at first: no job has come, and each is answered. */
  reset(): void
}

/** @param answer what jobs do unless a test says otherwise */
export async function startJobMesh(
  t: Test,
  nodeCount: number,
  answer: JobScript,
  init: Pick<CoordinatorInit, 'models'> & Partial<CoordinatorInit>
): Promise<JobMesh> {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-coordinator-'))
  const coordinator = await startCoordinator({
    dataDir,
    http: { host: '127.0.0.1', port: 0 },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    logger: pino({ level: 'silent' }),
    ...init,
    // scripted nodes have no heart
    limits: { heartbeatIntervalMs: 600_000, joinSettleMs: 0, ...init.limits }
  })
  const nodes: ScriptedNode[] = []
  const jobs: ScriptedJob[] = []
  t.teardown(async () => {
    await coordinator.close()
    await Promise.all(nodes.map(node => node.kill()))
    await rm(dataDir, { recursive: true, force: true })
  })
  const mesh: JobMesh = {
    url: coordinator.httpUrl,
    dataDir,
    nodes,
    jobs,
    script: answer,
    reset: () => {
      jobs.length = 0
      mesh.script = answer
    }
  }
  for (let index = 0; index < nodeCount; index++) {
    const onJob = (job: ScriptedJob): void => {
      jobs.push(job)
      void mesh.script(job)
    }
    const node = await ScriptedNode.start({ onJob })
    await node.join({ peerId: coordinator.peerId, multiaddrs: coordinator.multiaddrs() })
    nodes.push(node)
  }
  return mesh
}

/** The body of a job, as the coordinator wrote it. */
export function bodyOf<T>({ request }: ScriptedJob): T {
  return JSON.parse(new TextDecoder().decode(request.body))
}

/** Begins each job, and ends it with what `resultOf` makes of it, as JSON. */
export function answering(resultOf: (job: ScriptedJob) => unknown): JobScript {
  return async job => {
    await job.send({ type: 'started', sequence: 0 })
    const result = new TextEncoder().encode(JSON.stringify(resultOf(job)))
    await job.send({ type: 'result', sequence: 1, result })
  }
}
