import { MeshError } from '@resultity/interface'
import {
  type Fault,
  type HeldPositions,
  type LinkFault,
  type PromptScores,
  type Replayed,
  type ResumeOrder,
  type Sampled,
  type SessionOpened,
  type StageFrame,
  sameSession
} from '@resultity/wire'
import { beginsStep, planResume } from './resume-plan.ts'
import { checkLogprobs, checkToken, type ReportRules, violation } from './token-report.ts'

/**
 * - `opening`  sessions are being opened; nothing but SessionOpened may come
 * - `prompted` the prompt is on its way; the first token may come
 * - `decoding` tokens have come
 * - `ended`    the last token came; nothing more may
 */
export type GenerationPhase = 'opening' | 'prompted' | 'decoding' | 'ended'

export interface GenerationStateInit extends ReportRules {
  /** 16 bytes. */
  readonly session: Uint8Array
  /** Epoch of the route. */
  readonly epoch: number
  /** Tokens that earlier routes sampled; this one says that it has run them, and goes on. */
  readonly committed: readonly number[]
  readonly stageCount: number
  readonly promptCount: number
  readonly tokensMax: number
  readonly endTokens: ReadonlySet<number>
  /** So many tokens come before one of them may. */
  readonly tokensMin: number
  /** Scores of the prompt come before the first token. */
  readonly promptLogprobs: boolean
  /** What stages may have kept of the prompt. Default: nothing. */
  readonly prefix?: {
    readonly blockCount: number
    /** Of each block. */
    readonly positions: number
  }
  /** What stages may keep of the last route. Default: nothing. */
  readonly resume?: {
    readonly positionsMax: number
    /** Of a step of the prompt. */
    readonly prefillChunk: number
  }
}

/** The driver's next step after a frame; undefined: none. */
export type GenerationStep =
  /**
   * All stages are open. Every one of them has kept so many positions of the prompt. `resume` has what those are told, by their
   * index, that wait for it.
   */
  | { readonly type: 'opened'; readonly kept: number; readonly resume?: ReadonlyMap<number, ResumeOrder> }
  | { readonly type: 'scores'; readonly scores: PromptScores }
  | { readonly type: 'replayed'; readonly replayed: Replayed }
  | { readonly type: 'token'; readonly sampled: Sampled }
  /** A stage is there. */
  | { readonly type: 'answered'; readonly nonce: number }
  /** A stage does not hear its neighbour, or lost it. */
  | { readonly type: 'link'; readonly fault: LinkFault }

/** Decides what each stage of one route may say, and when. Pure: frames in, steps or errors out. */
export class GenerationState {
  readonly #init: GenerationStateInit
  readonly #epoch: number
  /** What each stage that is open has of the last route. */
  readonly #opened = new Map<number, HeldPositions | undefined>()
  #kept = Number.POSITIVE_INFINITY
  readonly #tokens: number[]
  /** Position of the prompt token that is scored next; nothing comes before the first. */
  #nextScored: number
  #replayed: boolean
  #phase: GenerationPhase = 'opening'

  constructor(init: GenerationStateInit) {
    this.#init = init
    this.#epoch = init.epoch
    this.#tokens = [...init.committed]
    this.#replayed = init.committed.length === 0
    // scores come before the first token
    this.#nextScored = this.#replayed ? 1 : init.promptCount
  }

  get phase(): GenerationPhase {
    return this.#phase
  }

  get epoch(): number {
    return this.#epoch
  }

  /** Tokens of the answer so far, in order. */
  get tokens(): readonly number[] {
    return this.#tokens
  }

  /**
   * Takes in a frame from the stage with this index in the route.
   * @throws MeshError `protocol_violation` when the stage may not say this now; a Fault's own error
   */
  admit(stageIndex: number, frame: StageFrame): GenerationStep | undefined {
    // a fault may concern the stream alone, and then names no session
    if (frame.type === 'fault') throw faultOf(frame)
    if (!('session' in frame) || !sameSession(frame.session, this.#init.session))
      throw violation('a frame of another session came')
    if (frame.type === 'opened') return this.#admitOpened(stageIndex, frame)
    if (frame.type === 'sampled') return this.#admitSampled(stageIndex, frame)
    if (frame.type === 'scores') return this.#admitScores(stageIndex, frame)
    if (frame.type === 'probe_ack') {
      return this.#isStale(frame.epoch) ? undefined : { type: 'answered', nonce: frame.nonce }
    }
    if (frame.type === 'link_fault') return this.#isStale(frame.epoch) ? undefined : { type: 'link', fault: frame }
    if (frame.type === 'replayed') return this.#admitReplayed(stageIndex, frame)
    throw violation(`a stage may not send "${frame.type}" to the coordinator`)
  }

  #admitOpened(stageIndex: number, { epoch, kept = 0, resumes }: SessionOpened): GenerationStep | undefined {
    if (this.#isStale(epoch)) return undefined
    if (this.#phase !== 'opening' || this.#opened.has(stageIndex)) throw violation('a session was opened twice')
    const { blockCount, positions } = this.#init.prefix ?? { blockCount: 0, positions: 1 }
    if (kept > blockCount * positions || kept % positions !== 0) {
      throw violation(`a stage has kept ${kept} positions, of ${blockCount} times ${positions}`)
    }
    if (resumes !== undefined) this.#admitHeld(resumes)
    this.#opened.set(stageIndex, resumes)
    // what a stage says decides where all begin, and nothing else: one that has not what it says computes wrong answers by itself
    this.#kept = Math.min(this.#kept, kept)
    if (this.#opened.size < this.#init.stageCount) return undefined
    this.#phase = 'prompted'
    const resume = this.#resume()
    return { type: 'opened', kept: this.#kept, ...(resume.size > 0 ? { resume } : {}) }
  }

  #admitHeld({ held, loggedFrom }: HeldPositions): void {
    const { promptCount, committed, resume } = this.#init
    const { positionsMax, prefillChunk } = resume ?? { positionsMax: -1, prefillChunk: 1 }
    const shape = { promptCount, committedCount: committed.length, prefillChunk }
    if (held > positionsMax) throw violation(`a stage goes on with ${held} positions, of at most ${positionsMax}`)
    if (!beginsStep(held, shape) || !beginsStep(loggedFrom, shape)) {
      throw violation(`a stage has positions [${loggedFrom},${held}), which are no whole steps`)
    }
  }

  #resume(): ReadonlyMap<number, ResumeOrder> {
    const stages = Array.from({ length: this.#init.stageCount }, (_, index) => this.#opened.get(index))
    // one that is of an earlier version waits for nothing
    return new Map([...planResume(stages).entries()].filter(([index]) => stages[index] !== undefined))
  }

  #admitScores(stageIndex: number, scores: PromptScores): GenerationStep | undefined {
    if (this.#isStale(scores.epoch)) return undefined
    const { promptCount, stageCount, promptLogprobs } = this.#init
    if (stageIndex !== stageCount - 1) throw violation('a stage that is not the last scored the prompt')
    if (!promptLogprobs || this.#phase !== 'prompted' || this.#nextScored === promptCount)
      throw violation('scores of the prompt came out of turn')
    const end = scores.position + scores.scores.length
    if (scores.position !== this.#nextScored || scores.scores.length === 0 || end > promptCount) {
      throw violation(`scores of [${scores.position},${end}) came, ${this.#nextScored} of ${promptCount} is next`)
    }
    for (const { logprob, top } of scores.scores) checkLogprobs(logprob, top, this.#init)
    this.#nextScored = end
    return { type: 'scores', scores }
  }

  #admitReplayed(stageIndex: number, replayed: Replayed): GenerationStep | undefined {
    if (this.#isStale(replayed.epoch)) return undefined
    const { promptCount, stageCount, committed } = this.#init
    if (stageIndex !== stageCount - 1) throw violation('a stage that is not the last went on with the answer')
    if (this.#phase !== 'prompted' || this.#replayed) throw violation('an answer went on that stood nowhere')
    const position = promptCount + committed.length - 1
    if (replayed.position !== position) {
      throw violation(`the answer went on from position ${replayed.position}, it stood at ${position}`)
    }
    this.#replayed = true
    return { type: 'replayed', replayed }
  }

  #admitSampled(stageIndex: number, sampled: Sampled): GenerationStep | undefined {
    if (this.#isStale(sampled.epoch)) return undefined
    const { promptCount, tokensMax, tokensMin, stageCount, endTokens, promptLogprobs } = this.#init
    if (stageIndex !== stageCount - 1) throw violation('a stage that is not the last sampled a token')
    if (this.#phase === 'opening') throw violation('a token came before the prompt was sent')
    if (this.#phase === 'ended') throw violation('a token came after the last one')
    if (promptLogprobs && this.#nextScored < promptCount) throw violation('a token came before the prompt was scored')
    if (!this.#replayed) throw violation('a token came before those that stand had run')
    const position = promptCount + this.#tokens.length
    if (sampled.position !== position) throw violation(`position ${sampled.position} came, ${position} is next`)
    checkToken(sampled.token, this.#init)
    checkLogprobs(sampled.logprob, sampled.top, this.#init)
    this.#tokens.push(sampled.token)
    const count = this.#tokens.length
    if ((sampled.finish === 'end_token') !== endTokens.has(sampled.token)) {
      const ended = sampled.finish === 'end_token'
      throw violation(
        `token ${sampled.token} ${ended ? 'ended the answer and is no' : 'did not end it and is an'} end token`
      )
    }
    if (sampled.finish === 'end_token' && count <= tokensMin) {
      throw violation(`token ${count} ended the answer, ${tokensMin} were to come before that`)
    }
    if ((sampled.finish === 'tokens_max') !== (count === tokensMax) && sampled.finish !== 'end_token') {
      throw violation(`token ${count} of ${tokensMax} came with "${sampled.finish}"`)
    }
    this.#phase = sampled.finish === 'continues' ? 'decoding' : 'ended'
    return { type: 'token', sampled }
  }

  /** A frame of an earlier route is dropped; one of a route that does not exist yet is made up. */
  #isStale(epoch: number): boolean {
    if (epoch > this.#epoch) throw violation(`a frame of epoch ${epoch} came, the route's is ${this.#epoch}`)
    return epoch < this.#epoch
  }
}

/** What a stage failed with, and whom it blames for that. */
function faultOf({ error, blamedPeer }: Fault): MeshError {
  if (blamedPeer === undefined) return error
  const { code, message, hint, details } = error
  return new MeshError(code, message, { hint, details: { ...details, blamedPeer }, cause: error })
}
