import type { LayerRange, MeshError, OutputConstraint, Sampling, WorkClass } from '@resultity/interface'

/** One message on a stage stream; `stage.proto` says who sends which to whom, and when. */
export type StageFrame =
  | OpenSession
  | SessionOpened
  | JoinHop
  | Prompt
  | Piece
  | Activations
  | NextToken
  | Sampled
  | PromptScores
  | Replayed
  | Probe
  | ProbeAck
  | HopAck
  | LinkFault
  | TryHop
  | HopTried
  | Resume
  | CloseSession
  | Fault

/** Fields of every frame of a running session. */
interface OfSession {
  /** 16 bytes. May be a view of the received frame: copy it to keep it. */
  readonly session: Uint8Array
  /** Number of the session's current route; frames of another epoch are dropped. */
  readonly epoch: number
}

export interface Hop {
  readonly peerId: string
  readonly multiaddrs: readonly string[]
}

/** Keeps a coordinator that slept from going on with a request that another has taken over. */
export interface SessionFence {
  /** 16 bytes that stand for the request. */
  readonly key: Uint8Array
  /** Of the attempt, from 1 up: a higher one ends and refuses the lower ones. */
  readonly term: number
}

/** What the first steps of a prompt leave in a cache, by name. */
export interface PromptPrefix {
  /**
   * For each step of exactly `prefillChunk` positions from the first on: 32 hexadecimal digits that stand for all tokens up to its
   * end, the length of the steps and whom the tokens belong to.
   */
  readonly blocks: readonly string[]
  /** The session begins with nothing, whatever is kept. */
  readonly afresh: boolean
}

/** Takes a KV slot on a stage, and tells it its place in the route. */
export interface OpenSession extends OfSession {
  readonly type: 'open'
  readonly placementId: string
  readonly range: LayerRange
  /** The stage to send to; undefined when the route has one stage. The last stage's next hop is the first. */
  readonly next: Hop | undefined
  /** The peer that may join with the hop stream; empty when the route has one stage. */
  readonly previousPeer: string
  /** Positions of the prompt. */
  readonly promptCount: number
  /** Tokens to sample at the most. */
  readonly tokensMax: number
  /** Positions of one prefill step; the last may be a quarter longer, see `prefillEnd`. */
  readonly prefillChunk: number
  /** The last stage stops after sampling one of these. */
  readonly endTokens: readonly number[]
  readonly sampling: Sampling
  /** The slot frees itself after that long without a frame. */
  readonly leaseMs: number
  /** Whether `Sampled.logprob` is wanted. */
  readonly logprobs: boolean
  /** How many of the most likely tokens to report beside the sampled one. */
  readonly topLogprobs: number
  /** The constraint that the last stage enforces on the answer. */
  readonly constraint?: OutputConstraint
  readonly fence?: SessionFence
  /** The prompt, for a last stage whose sampling has a repetition penalty or that is to score it. */
  readonly promptTokens?: readonly number[]
  /** Whether `PromptScores` are wanted; with a `prefillChunk` of 1. */
  readonly promptLogprobs?: boolean
  /** Whose runs go first on every stage. Default `interactive`. */
  readonly workClass?: WorkClass
  /**
   * Milliseconds by which the last stage may hold back `Sampled` of tokens but the first and the last, to send several in
   * one write. Default 0: each by itself.
   */
  readonly tellWithinMs?: number
  /** Tokens of the answer that stand already, for the first and the last stage of a route that takes another's place. */
  readonly committed?: readonly number[]
  /** Tokens to sample before one of `endTokens` may come. Default 0. */
  readonly tokensMin?: number
  /** What the stage may keep of the prompt, and begin with. Default: nothing. */
  readonly prefix?: PromptPrefix
  /** When it loses a neighbour, the stage keeps the session's cache until the coordinator ends the session. Default false. */
  readonly parks?: boolean
  /**
   * The session takes over so many positions, at the most, of what the stage has parked of its earlier epoch, and then waits for
   * {@link Resume}. Default: it begins with nothing.
   */
  readonly keepPositions?: number
}

/** What a stage has of an earlier epoch. */
export interface HeldPositions {
  /** Positions in its cache. */
  readonly held: number
  /** From here to `held` it has kept what it sent to the next stage. */
  readonly loggedFrom: number
}

/** The slot is taken and the next hop connected. */
export interface SessionOpened extends OfSession {
  readonly type: 'opened'
  /** Positions of the prefix that this stage has kept. Default 0. */
  readonly kept?: number
  /** It was opened with `keepPositions`, and waits for {@link Resume}. */
  readonly resumes?: HeldPositions
}

/** Where a stage goes on, in a route that takes another's place. */
export interface ResumeOrder {
  /** Position of its first input; it forgets what it has from there on. */
  readonly begin: number
  /** Where the next stage begins: nothing is sent of earlier positions. */
  readonly sendFrom: number
}

/** To each stage, behind `SessionOpened` of all. */
export interface Resume extends OfSession, ResumeOrder {
  readonly type: 'resume'
}

/** Only frame of a stage on a stream to the next one: whether that takes its hops. */
export interface TryHop {
  readonly type: 'try_hop'
  readonly placementId: string
}

/** It does. */
export interface HopTried {
  readonly type: 'hop_tried'
  readonly placementId: string
}

/** First frame of a hop stream: which session it carries. */
export interface JoinHop extends OfSession {
  readonly type: 'join'
}

/** A piece of a picture; what is made of it is read in the place of the prompt's tokens from `position` on. */
export interface Piece extends OfSession {
  readonly type: 'piece'
  readonly position: number
  /** u8 `[side, side, 3]`. */
  readonly pixels: Uint8Array
}

export interface Prompt extends OfSession {
  readonly type: 'prompt'
  readonly tokens: readonly number[]
  /** Positions that all stages have kept: the first step begins there. Default 0. */
  readonly kept?: number
}

/** Hidden states of `count` consecutive positions. */
export interface Activations extends OfSession {
  readonly type: 'activations'
  /** Index of the first position in this frame. */
  readonly position: number
  readonly count: number
  /** `[count, hiddenSize]` f32, little endian; see `hiddenToFloats`. Sent by reference, received as a view. */
  readonly hidden: Uint8Array
}

export interface NextToken extends OfSession {
  readonly type: 'next'
  /** Where this token stands. */
  readonly position: number
  readonly token: number
}

export type Finish = 'continues' | 'end_token' | 'tokens_max'

export interface TokenLogprob {
  readonly token: number
  readonly logprob: number
}

export interface Sampled extends OfSession {
  readonly type: 'sampled'
  readonly position: number
  readonly token: number
  readonly finish: Finish
  /** Log-probability of the token, if requested; else 0. */
  readonly logprob: number
  readonly top: readonly TokenLogprob[]
}

/** How likely the model found consecutive tokens of the prompt. */
export interface PromptScores extends OfSession {
  readonly type: 'scores'
  /** Position of the first token scored here. At least 1, because no token comes before the first. */
  readonly position: number
  readonly scores: readonly TokenScore[]
}

export interface TokenScore {
  readonly logprob: number
  readonly top: readonly TokenLogprob[]
}

/** All committed tokens have run, and the answer goes on. */
export interface Replayed extends OfSession {
  readonly type: 'replayed'
  /** Where the last committed token stands. */
  readonly position: number
  /** Sampled once more, it came out the same. */
  readonly exact: boolean
}

/** Whether the node is there; asked when no token comes. */
export interface Probe extends OfSession {
  readonly type: 'probe'
  readonly nonce: number
}

/** It is, whatever its engine does. */
export interface ProbeAck extends OfSession {
  readonly type: 'probe_ack'
  /** Of the probe. */
  readonly nonce: number
}

/** What has come over a hop, to the stage before. */
export interface HopAck extends OfSession {
  readonly type: 'hop_ack'
  /** Everything before it has come. */
  readonly position: number
}

/** A neighbour is not heard, to the coordinator. */
export interface LinkFault extends OfSession {
  readonly type: 'link_fault'
  /** The neighbour. */
  readonly peerId: string
  /** For how long; 0: the hop to it, or from it, broke or could not be made. */
  readonly silentMs: number
}

export interface CloseSession {
  readonly type: 'close'
  readonly session: Uint8Array
  readonly reason: string
  /** Nothing went wrong: what the stage has computed of the prefix may be kept. Default false. */
  readonly keep?: boolean
  /** The answer goes on, on another route: the stage keeps the session's cache for its next epoch. Default false. */
  readonly park?: boolean
}

/** The session failed; the stream ends. The session is all zeros when the fault is the stream's, not a session's. */
export interface Fault extends OfSession {
  readonly type: 'fault'
  readonly error: MeshError
  /** The previous stage, when what it sent is at fault. */
  readonly blamedPeer?: string
}

/** Session id of a Fault that belongs to no session. */
export const NO_SESSION: Uint8Array = new Uint8Array(16)

/** The session's id as a map key: 32 hexadecimal digits. */
export function sessionKey(session: Uint8Array): string {
  return Buffer.from(session.buffer, session.byteOffset, session.byteLength).toString('hex')
}

/** Whether two ids are the same, without making strings of them. */
export function sameSession(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < NO_SESSION.length; index++) if (a[index] !== b[index]) return false
  return true
}
