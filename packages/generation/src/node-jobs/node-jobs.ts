import { MeshError, type Route, type WorkOptions } from '@resultity/interface'
import type { NodeLosses, PlaceableModel, RouteConstraints } from '@resultity/placement'
import { BATCH_PATIENCE } from '../batch-patience.ts'
import type { RouteLease, RouteLeases } from '../route-leases.ts'
import type { NodeAddress } from '../stage-control.ts'
import { callJob, type JobCallComponents, type JobCallInit } from './job-call.ts'

export interface NodeJobsComponents extends JobCallComponents {
  readonly leases: RouteLeases
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

/** A job for a model that one node serves whole. */
export interface NodeJob {
  /** Names it in logs. */
  readonly jobId: string
  readonly model: PlaceableModel
  /** Where to run it. Default: anywhere in the general pool. */
  readonly routing?: RouteConstraints
  /** Such as `/v1/embeddings`. */
  readonly endpoint: string
  /** UTF-8 JSON, wholly checked. */
  readonly body: Uint8Array
}

export interface NodeJobOptions extends WorkOptions {
  /** Counts nodes that are lost with the job. */
  readonly losses?: NodeLosses
}

export interface NodeJobResult {
  /** UTF-8 JSON as the node sent it; not yet checked. */
  readonly result: Uint8Array
  /** The node that computed the result. */
  readonly route: Route
}

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
  async run(job: NodeJob, options: NodeJobOptions = {}): Promise<NodeJobResult> {
    const { leases } = this.#components
    for (let attempt = 1; ; attempt++) {
      const lease = await leases.lease(job.model, job.routing, options)
      try {
        return { result: await this.#attempt(job, attempt, lease, options), route: lease.route }
      } catch (error) {
        const lost = error instanceof MeshError && (error.code === 'node_lost' || error.code === 'node_draining')
        const told = options.losses?.told(error) ?? error
        if (!lost || told !== error || attempt >= this.#init.routeAttemptsMax) throw told
        await leases.untilBroken(lease.placement, this.#init.lossNoticeMs, options)
      }
    }
  }

  async #attempt(job: NodeJob, attempt: number, lease: RouteLease, options: WorkOptions): Promise<Uint8Array> {
    using _held = lease
    const { jobStartMs: startMs, jobGraceMs: graceMs, jobRunMs } = this.#init
    const { workClass = 'interactive' } = options
    const deadlineMs = workClass === 'batch' ? jobRunMs * BATCH_PATIENCE : jobRunMs
    const { jobId, model, endpoint, body } = job
    const { name, manifestSha256 } = model
    const request = { jobId, attempt, endpoint, model: name, manifestSha256, body, deadlineMs, workClass }
    this.#active++
    try {
      return await callJob(
        this.#components,
        { startMs, graceMs } satisfies JobCallInit,
        this.#nodeOf(lease),
        request,
        options
      )
    } finally {
      this.#active--
    }
  }

  #nodeOf({ route }: RouteLease): NodeAddress {
    const [stage, ...others] = route.stages
    if (stage === undefined || others.length > 0) {
      throw new MeshError('internal', `a job was given a route of ${route.stages.length} stages`)
    }
    const address = this.#components.addressOf(stage.peerId)
    if (address !== undefined) return address
    throw new MeshError('node_lost', `node ${stage.peerId} left the mesh`, {
      hint: 'Send the request again: it will run on another node if one has room.',
      details: { peerId: stage.peerId }
    })
  }
}
