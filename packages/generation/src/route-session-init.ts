import type { OutputConstraint, Route, Sampling, Scheduler, WorkClass } from '@resultity/interface'
import type { PromptPrefix, SessionFence } from '@resultity/wire'
import type { ShownContent } from './prompt-names.ts'
import type { NodeAddress, StreamOpener } from './stage-control.ts'

export interface RouteSessionComponents {
  readonly opener: StreamOpener
  /** Where a node is, for the node `forPeer` to dial it; undefined when it is not here any more. */
  addressOf(peerId: string, forPeer?: string): NodeAddress | undefined
  /** @returns stops listening */
  onNodeLeft(listener: (peerId: string) => void): () => void
  /**
   * Reports that a node does not answer, though it is not known to have left.
   * @returns false when its placement cannot do without it
   */
  suspect(peerId: string, placementId: string, why?: string): boolean
  /**
   * Reports that nothing passes between two nodes that are both there.
   * @returns false when their placement cannot do without that link
   */
  suspectLink(from: string, to: string, placementId: string): boolean
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface RouteSessionLimits {
  readonly sessionOpenMs: number
  readonly firstTokenMs: number
  readonly promptTokenMs: number
  readonly nextTokenMs: number
  readonly tellWithinMs: number
  readonly sessionLeaseMs: number
  readonly sessionCloseMs: number
  readonly lossGraceMs: number
  readonly probeAnswerMs: number
}

/** A piece of a picture that a prompt shows. */
export interface PromptPiece extends ShownContent {
  /** u8 `[side, side, 3]`, as the model cuts pictures. */
  readonly pixels: Uint8Array
}

/** What is to be generated on which route, in token ids. */
export interface RouteSessionInit {
  readonly route: Route
  /** 16 bytes. */
  readonly session: Uint8Array
  /** Number of the route among those that the answer took, from 1 up. */
  readonly epoch: number
  readonly prompt: readonly number[]
  /** What the prompt shows, in the order of its positions. Default: no pictures. */
  readonly pieces?: readonly PromptPiece[]
  /** The tokens that earlier routes sampled; the answer goes on after them. */
  readonly committed: readonly number[]
  /** Stages that were part of the last route go on with what they have. Default false: they begin with nothing. */
  readonly keeps?: boolean
  /** Of the whole answer. */
  readonly tokensMax: number
  readonly prefillChunk: number
  readonly endTokens: ReadonlySet<number>
  /** Tokens to sample before one of `endTokens` may come. */
  readonly tokensMin: number
  readonly sampling: Sampling
  readonly logprobs: boolean
  readonly topLogprobs: number
  /** Of the model: every token's id is smaller. */
  readonly vocabularySize: number
  readonly constraint?: OutputConstraint
  /** Score the prompt; it then runs position by position, for only a chunk's last one has logits. */
  readonly promptLogprobs: boolean
  readonly workClass: WorkClass
  /** Which attempt at which request it is for. */
  readonly fence?: SessionFence
  /** What stages may keep of the prompt, and have kept. Default: nothing. */
  readonly prefix?: PromptPrefix
  /** Whether each token is wanted as it comes; else some come late, and several at once. */
  readonly watched: boolean
}
