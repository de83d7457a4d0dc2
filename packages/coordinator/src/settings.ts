import { DEFAULT_JOB_LIMITS, type JobLimits } from '@resultity/jobs'

/** Every limit and deadline of a coordinator. All have defaults; all may be set by the operator. */
export interface CoordinatorLimits extends JobLimits {
  /** Nodes connected at once. */
  readonly nodesMax: number
  readonly heartbeatIntervalMs: number
  /** After so many silent intervals a node is given up. */
  readonly heartbeatMissesMax: number
  /** From a membership stream's opening to its Hello. */
  readonly helloTimeoutMs: number
  /** After nodes came: wait for more before planning, so that a starting swarm is planned once. */
  readonly joinSettleMs: number
  /** How long a default placement of a fixed number of stages waits for that many nodes before it takes fewer. */
  readonly fewerStagesAfterMs: number
  /** A node that failed an assignment is left out for this long; doubled on each further failure, up to 64 times. */
  readonly assignmentRetryMs: number
  /** A placement none of whose nodes reports on its assignment for so long has failed. */
  readonly assignmentSilenceMs: number
  /** A placement made for one request's `mesh.stages` is released when it was not used for so long. */
  readonly onDemandIdleMs: number
  /** How long a request waits for its placement to be ready. */
  readonly placementWaitMs: number
  /** Requests that wait for a slot or a placement, in all. */
  readonly waitersMax: number
  /** Opening the session on all stages of a route. */
  readonly sessionOpenMs: number
  /** The first token: at least so long, plus {@link promptTokenMs} for every token of the prompt. */
  readonly firstTokenMs: number
  readonly promptTokenMs: number
  /** From one token to the next. */
  readonly nextTokenMs: number
  /** How late the coordinator may hear of a token that no client watches come. */
  readonly tellWithinMs: number
  /** A slot frees itself on a stage after so long without a frame. */
  readonly sessionLeaseMs: number
  /** When a stage says that it lost its neighbour: waiting to hear which node it was that died. */
  readonly lossGraceMs: number
  /** When no token comes: time for a node to say that it is there. Half of it has to pass before it is asked. */
  readonly probeAnswerMs: number
  /** When a node is lost before its session opened: waiting until the placement is known to be broken. */
  readonly lossNoticeMs: number
  /** Routes tried for one request, as long as none has opened. */
  readonly routeAttemptsMax: number
  /** From dialling a node with a whole job to its word that the job has begun. */
  readonly jobStartMs: number
  /** The whole of a job on one node. */
  readonly jobRunMs: number
  /** Beyond that, for what the node has to say at its end. */
  readonly jobGraceMs: number
  /** Waiting for stages to confirm that a session has ended. */
  readonly sessionCloseMs: number
  /** Jobs at once that only wait for others: batches, ensembles. */
  readonly groupsMax: number
  /** Requests of one call to `/v1/batch`. */
  readonly inlineBatchMax: number
  /** What one namespace may have stored: files, answers of batches, and bodies, logs and results of requests. */
  readonly namespaceBytesMax: number
  /** Space on the disk below which nothing new is stored. */
  readonly diskReserveBytes: number
  /** How often it is looked what subclouds others have defined. */
  readonly subcloudRefreshMs: number
  /** Finding out whether one request's schemas can be held to; what takes longer is refused. */
  readonly constraintCheckMs: number
  /** Checking one constrained answer. */
  readonly answerCheckMs: number
  /** Such checks that wait or run, of requests and of answers each. */
  readonly constraintChecksMax: number
  /** HTTP requests at work at once; more are answered 429. */
  readonly requestsMax: number
  /** HTTP connections at once; fewer where the process may not open so many files. */
  readonly connectionsMax: number
  /** Of these, from one address, or one IPv6 network of 64 bits; this machine's own are not counted. */
  readonly connectionsPerAddressMax: number
  /** Requests on one connection that have no answer yet. */
  readonly pipelinedMax: number
  /** Requests on one connection before it is closed. */
  readonly requestsPerConnectionMax: number
  readonly bodyBytesMax: number
  readonly headerBytesMax: number
  readonly headersMax: number
  /** From a connection, or a request's first byte, to the end of its headers. */
  readonly headersReceiveMs: number
  /** From an answer to the next request on the same connection. */
  readonly keepAliveMs: number
  /** Receiving one whole request. */
  readonly requestReceiveMs: number
  /** At most so long is waited for answers to end when the coordinator stops. */
  readonly stopMs: number
  /** Between keep-alive comments on a silent event stream. */
  readonly eventStreamPingMs: number
  /** A client that takes nothing for so long is given up. */
  readonly clientStallMs: number
}

export const DEFAULT_LIMITS: CoordinatorLimits = {
  ...DEFAULT_JOB_LIMITS,
  nodesMax: 256,
  heartbeatIntervalMs: 1000,
  heartbeatMissesMax: 3,
  helloTimeoutMs: 10_000,
  joinSettleMs: 300,
  fewerStagesAfterMs: 15_000,
  assignmentRetryMs: 15_000,
  assignmentSilenceMs: 300_000,
  onDemandIdleMs: 600_000,
  placementWaitMs: 60_000,
  waitersMax: 256,
  sessionOpenMs: 10_000,
  firstTokenMs: 60_000,
  promptTokenMs: 100,
  nextTokenMs: 30_000,
  tellWithinMs: 250,
  sessionLeaseMs: 120_000,
  lossGraceMs: 300,
  probeAnswerMs: 500,
  lossNoticeMs: 3500,
  routeAttemptsMax: 3,
  jobStartMs: 10_000,
  jobRunMs: 120_000,
  jobGraceMs: 2000,
  sessionCloseMs: 1000,
  groupsMax: 1024,
  inlineBatchMax: 1000,
  namespaceBytesMax: 20 * 1024 ** 3,
  diskReserveBytes: 1024 ** 3,
  subcloudRefreshMs: 5000,
  constraintCheckMs: 2000,
  answerCheckMs: 10_000,
  constraintChecksMax: 1024,
  requestsMax: 8192,
  connectionsMax: 10_000,
  connectionsPerAddressMax: 1024,
  pipelinedMax: 16,
  requestsPerConnectionMax: 100_000,
  bodyBytesMax: 4 * 1024 * 1024,
  headerBytesMax: 16 * 1024,
  headersMax: 100,
  headersReceiveMs: 15_000,
  keepAliveMs: 72_000,
  requestReceiveMs: 60_000,
  stopMs: 2000,
  eventStreamPingMs: 10_000,
  clientStallMs: 60_000
}

/** Longest context a placement is made for unless the operator says otherwise, in positions. */
export const DEFAULT_CONTEXT_LENGTH_MAX = 4096

/** KV slots of one stage, i.e. answers that one placement makes at once. */
export const DEFAULT_SESSIONS_MAX = 4

/** Positions of one prefill step, about: small enough that stages overlap, large enough that matrices are efficient. */
export const DEFAULT_PREFILL_CHUNK = 128

/** The same of batch work: a run that others wait for, if they come while it is at work, is a quarter as long. */
export const DEFAULT_BATCH_PREFILL_CHUNK = 32
