/** Bounds and times of answers, of whole jobs on nodes, and of checks on what answers must be. */
export interface GenerationLimits {
  /** How long a request waits for its placement to be ready. */
  readonly placementWaitMs: number
  /** Requests that wait for a slot or a placement, in all. */
  readonly waitersMax: number
  /** Opening the session on all stages of a route. */
  readonly sessionOpenMs: number
  /** The first token: at least so long, plus {@link promptTokenMs} for every token of the prompt. */
  readonly firstTokenMs: number
  readonly promptTokenMs: number
  /** Longest time from one token to the next. */
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
  /** Waiting for stages to confirm that a session has ended. */
  readonly sessionCloseMs: number
  /** From dialling a node with a whole job to its word that the job has begun. */
  readonly jobStartMs: number
  /** The whole of a job on one node. */
  readonly jobRunMs: number
  /** The whole of a request that a node passes on to a server beside it. */
  readonly relayRunMs: number
  /** Beyond that, for what the node has to say at its end. */
  readonly jobGraceMs: number
  /** Time to find out whether the schemas of a request can be enforced; the request is refused if it takes longer. */
  readonly constraintCheckMs: number
  /** Checking one constrained answer. */
  readonly answerCheckMs: number
  /** Such checks that wait or run, of requests and of answers each. */
  readonly constraintChecksMax: number
}

/** What holds unless the operator says otherwise. */
export const DEFAULT_GENERATION_LIMITS: GenerationLimits = {
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
  sessionCloseMs: 1000,
  jobStartMs: 10_000,
  jobRunMs: 120_000,
  relayRunMs: 900_000,
  jobGraceMs: 2000,
  constraintCheckMs: 2000,
  answerCheckMs: 10_000,
  constraintChecksMax: 1024
}
