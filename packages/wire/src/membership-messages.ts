import type { FileContent, LayerRange, MeshError } from '@resultity/interface'

/** Messages of a node to a coordinator. `Hello` comes first, exactly once. */
export type NodeMessage = Hello | Heartbeat | AssignmentUpdate | Goodbye

/** Messages of a coordinator to a node. */
export type CoordinatorMessage = Welcome | Refused | Assign | Release | HeartbeatAck

export interface Hello {
  readonly type: 'hello'
  /** A sealed envelope around an advert. */
  readonly advert: Uint8Array
  /** What the coordinator's operator gave the node so that it may join. */
  readonly invite?: string
}

export interface Heartbeat {
  readonly type: 'heartbeat'
  readonly sequence: number
  /** A new sealed advert, if the old one no longer holds or half of its time to live has passed. */
  readonly advert: Uint8Array | undefined
}

export type AssignmentState = 'fetching' | 'building' | 'testing' | 'linking' | 'ready' | 'failed' | 'released'

/** How far a node is with an assignment. */
export interface AssignmentUpdate {
  readonly type: 'assignment'
  readonly placementId: string
  readonly state: AssignmentState
  /** Bytes fetched so far of the weights that this range needs. */
  readonly bytesDone: number
  readonly bytesTotal: number
  /** Measured by the self-test; 0 until ready. */
  readonly decodeMsPerLayer: number
  readonly prefillMsPerPositionLayer: number
  /** Embedding and head of this stage, per token. */
  readonly fixedDecodeMs: number
  /** Weights and slots of this stage. */
  readonly memoryBytes: number
  /** SHA-256 of the self-test's results, as 64 hexadecimal digits: the same on nodes whose kernels agree. Empty until ready. */
  readonly selfTestSha256: string
  /** With `ready`: what the weight files of the range hold, of a model whose files nodes make themselves. */
  readonly contents?: readonly FileContent[]
  /** Set when `state` is `failed`, and why the next stage is not reached. */
  readonly error: MeshError | undefined
  /** With `linking`: the peer of the next stage, when it was not reached. It is tried on. */
  readonly unreachedPeer?: string
}

/** The node is shutting down cleanly. */
export interface Goodbye {
  readonly type: 'goodbye'
  readonly reason: string
}

export interface Welcome {
  readonly type: 'welcome'
  readonly heartbeatIntervalMs: number
  /** After that many silent intervals either side gives the other up. */
  readonly heartbeatMissesMax: number
}

/** The coordinator does not take the node; the stream ends. */
export interface Refused {
  readonly type: 'refused'
  readonly error: MeshError
}

export interface BlobSource {
  readonly peerId: string
  readonly multiaddrs: readonly string[]
}

/** Where the next stage of a placement is. */
export interface NextStage {
  readonly peerId: string
  readonly multiaddrs: readonly string[]
}

/** Serve a layer range of a model from now on. Repeating it asks for the present state. */
export interface Assign {
  readonly type: 'assign'
  readonly placementId: string
  /** The model's name, for people. */
  readonly model: string
  readonly manifestSha256: string
  readonly manifestBytes: number
  readonly range: LayerRange
  /** Positions of one session's KV slot. */
  readonly contextLength: number
  /** KV slots. */
  readonly sessionsMax: number
  readonly sources: readonly BlobSource[]
  /** Wire type of activations between the stages. */
  readonly activationType: 'f32'
  /** The stage behind this one, which must have answered before this one is ready. Absent: there is none. */
  readonly next?: NextStage
  /** Whose next stage this one is. */
  readonly previousPeer?: string
  /** What is known of weight files of the range that nodes make themselves. */
  readonly contents?: readonly FileContent[]
}

export interface Release {
  readonly type: 'release'
  readonly placementId: string
  readonly reason: string
}

export interface HeartbeatAck {
  readonly type: 'heartbeat_ack'
  readonly sequence: number
  /** Peer ids of all members, this node among them, when they have changed since the last one that told. */
  readonly members?: readonly string[]
}
