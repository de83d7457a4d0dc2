import { MeshError, type Route, type WorkOptions } from '@resultity/interface'
import type { NodeLosses, PlaceableModel, RouteConstraints } from '@resultity/placement'
import { BATCH_PATIENCE } from '../batch-patience.ts'
import type { RouteLeases } from '../route-leases.ts'
import type { NodeAddress } from '../stage-control.ts'
import { callJob, type JobCallComponents, type JobCallInit, type JobChunks } from './job-call.ts'

export interface NodeJobsComponents extends JobCallComponents {
  readonly leases: Pick<RouteLeases, 'lease' | 'untilBroken'>
  /** Where a node is; undefined when it is not here any more. */
  addressOf(peerId: string): NodeAddress | undefined
}

export interface NodeJobsInit {
  /** Time from dialling a node to its `started` event. */
  readonly jobStartMs: number
  /** The whole of a job on one node. */
  readonly jobRunMs: number
  /** Time after that, for the node's last event. */
  readonly jobGraceMs: number
  /** When a node is lost: waiting until the placement is known to be broken. */
  readonly lossNoticeMs: number
  /** Nodes tried for one job. */
  readonly routeAttemptsMax: number
}

interface AnyNodeJob {
  /** Names it in logs. */
  readonly jobId: string
  readonly model: PlaceableModel
  /** Where to run it. Default: anywhere in the general pool. */
  readonly routing?: RouteConstraints
  /** Such as `/v1/embeddings`. */
  readonly endpoint: string
  /** The job goes to the node that has this layer. Default: to one that serves the whole model. */
  readonly layer?: number
  /** Other work was done for the same answer: it goes before what has not begun, and is never turned away. Default false. */
  readonly begun?: boolean
}

/** A job for a model that one node serves whole. */
export interface NodeJob extends AnyNodeJob {
  /** As the endpoint has it, wholly checked: UTF-8 JSON of most. */
  readonly body: Uint8Array
  /** How many times as long as usual it may take. Default 1. */
  readonly jobs?: number
}

/** One try at a job that is told as it goes. */
export interface JobAttempt {
  readonly body: Uint8Array
  readonly events: Omit<JobChunks, 'silenceMs'>
  /** Whether it left less to do than it was sent. */
  gotFurther(): boolean
}

/** A long job, which the next node goes on with where one is lost. */
export interface FollowedJob extends AnyNodeJob {
  /** What `route` is sent: what is left to do. */
  attempt(route: Route): JobAttempt
  /** Events that it has, its result included. */
  readonly eventCount: number
  /** Time from one event to the next, in those that a whole job of another kind may take. At least 1. */
  readonly jobsPerEvent: number
}

export interface NodeJobOptions extends WorkOptions {
  /** Counts nodes that are lost with the job. */
  readonly losses?: NodeLosses
}

export interface NodeJobResult {
  /** UTF-8 JSON as the node sent it; not yet checked. */
  readonly result: Uint8Array
  /** The node that computed the result, alone. */
  readonly route: Route
}

interface Attempt {
  readonly body: Uint8Array
  readonly chunks?: JobChunks
  /** The whole of it, of a job that somebody waits for. */
  readonly runMs: number
  gotFurther?(): boolean
}

interface Asked {
  readonly options: NodeJobOptions
  of(route: Route): Attempt
}

/** What a node takes at the most. */
const DEADLINE_MS_MAX = 24 * 60 * 60 * 1000

/** Runs whole jobs on nodes: takes a place, opens the job's stream, and goes to another node when one is lost. */
export class NodeJobs {
  readonly #components: NodeJobsComponents
  readonly #init: NodeJobsInit
  #active = 0

  constructor(components: NodeJobsComponents, init: NodeJobsInit) {
    this.#components = components
    this.#init = init
  }

  /** Jobs that hold a place. */
  get active(): number {
    return this.#active
  }

  /**
   * Resolves with the node's result. A job has no effect but its result, so one whose node is lost runs again on the
   * next that serves the model.
   *
   * @throws MeshError as {@link RouteLeases.lease} and {@link callJob} do
   */
  run(job: NodeJob, options: NodeJobOptions = {}): Promise<NodeJobResult> {
    const runMs = this.#init.jobRunMs * (job.jobs ?? 1)
    return this.#run(job, { options, of: () => ({ body: job.body, runMs }) })
  }

  /**
   * As {@link run}, of a job that is told as it goes: each node is sent what those before it have left.
   *
   * @throws MeshError as {@link run} does; `node_lost` also where nodes say nothing for too long; what its events are refused with
   */
  follow(job: FollowedJob, options: NodeJobOptions = {}): Promise<NodeJobResult> {
    const eventMs = this.#init.jobRunMs * job.jobsPerEvent
    const silenceMs = options.workClass === 'batch' ? eventMs * BATCH_PATIENCE : eventMs
    const of = (route: Route): Attempt => {
      const { events, ...attempt } = job.attempt(route)
      return { ...attempt, runMs: eventMs * job.eventCount, chunks: { ...events, silenceMs } }
    }
    return this.#run(job, { options, of })
  }

  async #run(job: AnyNodeJob, { options, of }: Asked): Promise<NodeJobResult> {
    const { leases } = this.#components
    // in a row that got no further
    let failed = 0
    let { begun: resumes = false } = job
    for (let number = 1; ; number++) {
      using lease = await leases.lease(job.model, job.routing, { ...options, resumes })
      const route = routeTo(lease.route, job)
      const attempt = of(route)
      try {
        return { result: await this.#attempt(job, number, route, attempt, options), route }
      } catch (error) {
        const lost = error instanceof MeshError && (error.code === 'node_lost' || error.code === 'node_draining')
        const told = options.losses?.told(error) ?? error
        const further = attempt.gotFurther?.() === true
        failed = further ? 1 : failed + 1
        resumes ||= further
        if (!lost || told !== error || failed >= this.#init.routeAttemptsMax) throw told
        lease[Symbol.dispose]()
        await leases.untilBroken(lease.placement, this.#init.lossNoticeMs, options)
      }
    }
  }

  async #attempt(
    { jobId, model, endpoint }: AnyNodeJob,
    attempt: number,
    route: Route,
    { body, runMs, chunks }: Attempt,
    options: NodeJobOptions
  ): Promise<Uint8Array> {
    const { jobStartMs: startMs, jobGraceMs: graceMs } = this.#init
    const { workClass = 'interactive' } = options
    const deadlineMs = Math.min(workClass === 'batch' ? runMs * BATCH_PATIENCE : runMs, DEADLINE_MS_MAX)
    const { name, manifestSha256 } = model
    const request = { jobId, attempt, endpoint, model: name, manifestSha256, body, deadlineMs, workClass }
    this.#active++
    try {
      const init: JobCallInit = { startMs, graceMs }
      return await callJob(this.#components, init, this.#nodeOf(route), request, { ...options, chunks })
    } finally {
      this.#active--
    }
  }

  #nodeOf({ stages }: Route): NodeAddress {
    const [stage] = stages
    if (stage === undefined) throw new MeshError('internal', 'a job was given a route without a node')
    const address = this.#components.addressOf(stage.peerId)
    if (address !== undefined) return address
    throw new MeshError('node_lost', `node ${stage.peerId} left the mesh`, {
      hint: 'Send the request again: it will run on another node if one has room.',
      details: { peerId: stage.peerId }
    })
  }
}

/** The node of a route that a job goes to. @throws MeshError `unavailable` for a whole model that several nodes serve */
function routeTo(route: Route, job: AnyNodeJob): Route {
  const { layer } = job
  if (layer === undefined && route.stages.length > 1) throw inParts(job)
  const stages = route.stages.filter(({ range }) => layer === undefined || (range.first <= layer && layer < range.end))
  return { ...route, stages }
}

/** The job is for a whole model, and no node has one: whoever can asks for its parts. */
function inParts({ model }: AnyNodeJob): MeshError {
  return new MeshError('unavailable', `${model.name} is served in parts, on several nodes`, {
    hint: 'Start a node with room for all of it.',
    details: { inParts: true }
  })
}

/** Whether a job failed because several nodes serve its model. */
export function isInParts(error: unknown): boolean {
  return error instanceof MeshError && error.details.inParts === true
}
