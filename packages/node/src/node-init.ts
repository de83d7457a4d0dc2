import type { EngineKind } from '@resultity/engine'
import type { MeshError, Scheduler, Tuning } from '@resultity/interface'
import type { HubClientInit } from '@resultity/model'
import { FIRST_FRAME_MS } from '@resultity/wire'
import type { Logger } from 'pino'
import type { DrainOptions, DrainOutcome } from './draining.ts'

/** Servers that the operator runs beside the node, and whose models it offers. */
export interface NodeUpstreams {
  /** Addresses such as `http://127.0.0.1:8000/v1`, and `auto` for those that are usual on this machine. */
  readonly targets: readonly string[]
  /** Names of the models that are offered. Default: all. */
  readonly models?: readonly string[] | undefined
  /** File of the key that the servers named are shown. */
  readonly keyFile?: string | undefined
  /** Requests passed on at once for each model. Default 8. */
  readonly jobsMax?: number | undefined
}

export interface NodeInit {
  /** Identity, weights and scratch files; one daemon at a time. */
  readonly dataDir: string
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell others instead of the ones listened on. */
  readonly announce?: readonly string[]
  /** Multiaddrs of coordinators, and invites of some; empty: look on the local network, if `mdns`. */
  readonly join: readonly string[]
  readonly mdns: boolean
  /** Bytes offered for weights and KV caches. Default: most of the memory available at start. */
  readonly memoryBytes?: number
  /** Threads of one model run. Default: every core. */
  readonly threads?: number
  /** Threads spin between operators: faster alone on a machine, far slower where stages share one. Default false. */
  readonly spinning?: boolean
  readonly labels: Readonly<Record<string, string>>
  /** Folders of blobs on this machine to use in place, without fetching. */
  readonly blobSources?: readonly string[]
  /** Bytes of disk for weights. Default: half of the free space when the store is empty. */
  readonly blobCacheBytes?: number
  /** The hub that this node may fetch from, to make weight files itself. Default: none. */
  readonly hub?: HubClientInit | undefined
  readonly engine?: EngineKind
  /** Servers beside this node, to which it passes requests on. Default: none. */
  readonly upstreams?: NodeUpstreams
  /** Results of another kind of processor, for tests. Default false. */
  readonly otherKernels?: boolean
  /** Tuning for speed and memory by `@resultity/runtime-tuning` and mesh, for the whole process. Default false. */
  readonly tuning?: Tuning
  readonly logger: Logger
  readonly limits?: Partial<NodeLimits>
  /** Time and chance of all parts. Default: the machine's. */
  readonly scheduler?: Scheduler
}

/** Every bound of the node agent. */
export interface NodeLimits {
  /** Stages served at a time. */
  readonly stagesMax: number
  /** Stage streams from one peer at a time. */
  readonly stageStreamsPerPeerMax: number
  /** Jobs that one peer may have open at a time, those that are refused included. */
  readonly jobStreamsPerPeerMax: number
  /** Time from the opening of a job's stream to its request. */
  readonly jobRequestTimeoutMs: number
  /** Dialling and greeting the next stage of a session. */
  readonly hopTimeoutMs: number
  /** How long a hop may wait for its session to be opened. */
  readonly joinTimeoutMs: number
  readonly joinsPendingMax: number
  /** The same for one peer that a coordinator of this node names as a member. Another peer may have an eighth of it. */
  readonly joinsPendingPerPeerMax: number
  /** Time from the opening of a stage stream to its first frame. */
  readonly firstFrameMs: number
  /**
   * Bytes, beside the memory that is offered, for what sessions have sent to their next stages, in case one of these is lost. One
   * session takes at most a quarter. 0: all of an answer is then computed again.
   */
  readonly sentLogBytes: number
  /** Time from dialling a coordinator to its welcome. */
  readonly helloTimeoutMs: number
  /** How long an advert holds. */
  readonly advertTtlMs: number
  /** How long stages outlive the coordinator that assigned them, so that its restart need not load them again. */
  readonly orphanedStageMs: number
}

export const DEFAULT_NODE_LIMITS: NodeLimits = {
  stagesMax: 64,
  stageStreamsPerPeerMax: 256,
  jobStreamsPerPeerMax: 64,
  jobRequestTimeoutMs: 10_000,
  hopTimeoutMs: 5_000,
  joinTimeoutMs: 10_000,
  joinsPendingMax: 256,
  joinsPendingPerPeerMax: 64,
  firstFrameMs: FIRST_FRAME_MS,
  sentLogBytes: 256 * 1024 * 1024,
  helloTimeoutMs: 10_000,
  advertTtlMs: 30_000,
  orphanedStageMs: 60_000
}

export interface RunningNode {
  readonly peerId: string
  multiaddrs(): string[]
  /** Resolves with the reason when the invite by which it was to join is no good, and there is no other way. */
  readonly refused: Promise<MeshError>
  /** Hands what it serves over to other nodes, as far as there are some. Close it then. */
  drain(options: DrainOptions): Promise<DrainOutcome>
  /** Ends sessions, leaves the coordinators, frees every stage. */
  close(): Promise<void>
}
