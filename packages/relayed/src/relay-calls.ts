import {
  callJob,
  type JobCallComponents,
  type JobCallInit,
  type JobChunks,
  type NodeAddress
} from '@resultity/generation'
import { type AbortOptions, type ErrorCode, MeshError, type WorkClass } from '@resultity/interface'
import type { NodeLosses, NodePool } from '@resultity/placement'
import type { OfferedModels } from './offered-models.ts'

export interface RelayCallComponents extends JobCallComponents {
  readonly offered: OfferedModels
  /** Where a node is; undefined when it is not here any more. */
  addressOf(peerId: string): NodeAddress | undefined
}

export interface RelayCallInit extends JobCallInit {
  /** The whole of a request on one node. */
  readonly runMs: number
  /** Nodes that may begin one request. Those that refuse it are not counted: each is asked once. */
  readonly nodesMax: number
}

/** A request for a model of servers beside nodes. */
export interface RelayCall {
  /** Names it in logs. */
  readonly jobId: string
  readonly model: string
  readonly endpoint: string
  /** UTF-8 JSON. */
  readonly body: Uint8Array
  readonly pool: NodePool
}

/** What takes an answer of one node. */
export interface RelayListener {
  /** Undefined: the answer comes whole. */
  readonly chunks: JobChunks | undefined
  /** Whether anybody has been told something of it: then no other node may begin again. */
  readonly told: boolean
}

export interface RelayCallOptions extends AbortOptions {
  readonly workClass: WorkClass
  /** Counts nodes that are lost with the request. */
  readonly losses: NodeLosses
  /** Called before each node is asked. */
  begin(peerId: string): RelayListener
}

export interface RelayResult {
  /** UTF-8 JSON as the node sent it; not yet checked. Nothing of a streamed answer. */
  readonly result: Uint8Array
  readonly peerId: string
}

/** What another node would say as well, or nobody waits for. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'canceled',
  'context_length_exceeded',
  'deadline_exceeded',
  'internal',
  'invalid_request',
  'job_lease_lost',
  'nodes_lost_too_often',
  'replay_diverged'
])

/**
 * Has a node pass a request on to the server beside it. Where that fails before anything was told of the answer, another node
 * that has the model is asked.
 *
 * @throws MeshError as {@link OfferedModels.requireOffer} and {@link callJob} do; the server's error, naming the node
 */
export async function relay(
  components: RelayCallComponents,
  init: RelayCallInit,
  call: RelayCall,
  options: RelayCallOptions
): Promise<RelayResult> {
  /** Nodes that were asked. */
  const failed = new Set<string>()
  let begun = 0
  let last: unknown
  for (;;) {
    using place = components.offered.take({ ...call, without: failed })
    if (place === undefined) throw last
    const { peerId } = place
    const listener = options.begin(peerId)
    try {
      return {
        result: await ask(components, init, { call, peerId, attempt: failed.size + 1 }, listener, options),
        peerId
      }
    } catch (error) {
      options.signal?.throwIfAborted()
      last = options.losses.told(error)
      failed.add(peerId)
      if (!(error instanceof MeshError) || FINAL.has(error.code)) throw last
      if (error.details.refused !== true) begun++
      if (last !== error || listener.told || begun >= init.nodesMax) throw last
    }
  }
}

async function ask(
  components: RelayCallComponents,
  init: RelayCallInit,
  { call, peerId, attempt }: { readonly call: RelayCall; readonly peerId: string; readonly attempt: number },
  { chunks }: RelayListener,
  { signal, workClass }: RelayCallOptions
): Promise<Uint8Array> {
  const address = components.addressOf(peerId)
  if (address === undefined) {
    throw new MeshError('node_lost', `node ${peerId} left the mesh`, { details: { peerId, unreached: true } })
  }
  const { jobId, model, endpoint, body } = call
  const request = { jobId, attempt, endpoint, model, manifestSha256: '', body, deadlineMs: init.runMs, workClass }
  return await callJob(components, init, address, request, { chunks, ...(signal === undefined ? {} : { signal }) })
}
