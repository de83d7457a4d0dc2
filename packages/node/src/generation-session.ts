import type { ShownStates, StageSession } from '@resultity/engine'
import { MeshError, prefillEnd, type Sampling } from '@resultity/interface'
import { logprobsOf, type TokenConstraint, TokenSampler } from '@resultity/sampling'
import type { PromptScores, Replayed, Sampled, TokenScore } from '@resultity/wire'
import type { SessionCache } from './parked-sessions.ts'
import type { ShownPieces } from './shown-pieces.ts'

/** Settings that the coordinator fixed when it opened the session. */
export interface GenerationSpec {
  readonly promptCount: number
  /** Most tokens to sample. */
  readonly tokensMax: number
  /** Positions of one prefill step, see `prefillEnd`. */
  readonly prefillChunk: number
  /** The last stage stops after sampling one of these. */
  readonly endTokens: ReadonlySet<number>
  /** So many tokens come before one of them may. Default 0. */
  readonly tokensMin?: number
  readonly sampling: Sampling
  readonly logprobs: boolean
  readonly topLogprobs: number
  /** The prompt, where a repetition penalty or `promptLogprobs` needs it on the last stage. */
  readonly promptTokens?: readonly number[]
  /** The last stage scores the prompt; `prefillChunk` is 1 then. */
  readonly promptLogprobs?: boolean
  /** Tokens of the answer that stand already: they run as inputs, and are not sampled again. Default none. */
  readonly committed?: readonly number[]
  /** The last stage must be given a constraint before it samples. */
  readonly constrained?: boolean
  readonly vocabularySize: number
  readonly hiddenSize: number
  /** The stage embeds. */
  readonly first: boolean
  /** The stage projects and samples. */
  readonly last: boolean
  /** On the first stage of a model that reads pictures: those that the prompt shows. */
  readonly shown?: ShownPieces | undefined
}

/** A token that the last stage sampled, as the coordinator receives it. */
export type SampledToken = Pick<Sampled, 'position' | 'token' | 'finish' | 'logprob' | 'top'>

/** Where a step's result goes. Awaiting the hidden states is the back pressure of the next stage. */
export interface GenerationOutputs {
  hidden(position: number, count: number, hidden: Float32Array): Promise<void> | void
  /** The sampled token, to the first stage. */
  nextToken(position: number, token: number): void
  /** The sampled token, to the coordinator. */
  sampled(token: SampledToken): void
  /** How likely prompt tokens from `position` on were, to the coordinator. */
  scores(scores: Pick<PromptScores, 'position' | 'scores'>): void
  /** All committed tokens have run, to the coordinator; `exact`: the last of them, sampled once more, was the same. */
  replayed(replayed: Pick<Replayed, 'position' | 'exact'>): void
}

/** Prompt scores that travel together. */
const SCORES_PER_FRAME = 64

/**
 * One generation on one stage: admits inputs in order, runs them, hands the results on.
 *
 * Every input names its position. An input that is not the next is refused, so a replayed, lost or forged frame can never
 * reach the KV cache.
 */
export class GenerationSession {
  readonly #spec: GenerationSpec
  readonly #stage: StageSession
  readonly #outputs: GenerationOutputs
  readonly #tokenInput = new Uint32Array(1)
  readonly #sampler: TokenSampler
  readonly #scores: TokenScore[] = []
  readonly #committed: readonly number[]
  /** Logits whose log-probabilities are told while the next run is under way. */
  #kept: Float32Array | undefined
  #prompted = false
  /** The first input has come, which says with how much of what was kept the session begins. */
  #begun = false
  #constrained = false
  /** The mask of the next token is being computed; no input can be next before that. */
  #awaitsMask = false
  /** Of the answer, committed ones among them. */
  #tokenCount = 0
  #finished = false
  #stopped = false
  /** Positions that were computed. */
  #computed = 0
  /** Behind the last position whose result was handed on. */
  #done: number
  /** The last run that began; rejects where it broke off. */
  #run: Promise<unknown> = Promise.resolve()

  /** @throws MeshError `protocol_violation` when the prompt cannot be scored as asked, or the answer not go on */
  constructor(spec: GenerationSpec, stage: StageSession, outputs: GenerationOutputs) {
    this.#spec = spec
    this.#stage = stage
    this.#outputs = outputs
    this.#done = stage.position
    const { sampling, promptTokens = [], committed = [], endTokens, tokensMin = 0 } = spec
    this.#committed = committed
    for (const token of promptTokens) this.#admitToken(token)
    for (const token of committed) this.#admitToken(token)
    admitCommitted(spec, committed)
    if (spec.last && spec.promptLogprobs === true) admitScoring(spec)
    this.#sampler = new TokenSampler({ sampling, promptTokens, endTokens, tokensMin })
  }

  /** Applies `constraint` to the answer. Call it before the first token is sampled. */
  constrain(constraint: TokenConstraint): void {
    this.#constrained = true
    this.#sampler.constrain(constraint)
  }

  /** Next of the KV cache. */
  get position(): number {
    return this.#stage.position
  }

  /** Positions that were computed, in this epoch. */
  get computed(): number {
    return this.#computed
  }

  /**
   * Goes on from `begin`, behind which the cache is forgotten. Before the first input, in a session whose cache is that of an
   * earlier epoch. On the last stage, the committed tokens that were sampled behind earlier positions count as taken.
   */
  async resume(begin: number): Promise<void> {
    const { last, promptCount } = this.#spec
    if (this.#begun) throw violation('a session is to go on that has begun')
    if (begin > this.#stage.position) {
      throw violation(`it is to go on from position ${begin}, and has ${this.#stage.position}`)
    }
    this.#begun = true
    this.#stage.truncate(begin)
    this.#done = begin
    if (!last || begin < promptCount) return
    for (const token of this.#committed.slice(0, begin - promptCount + 1)) {
      await this.#untilMasked()
      if (this.#finished) return
      this.#sampler.take(token)
      this.#tokenCount++
    }
  }

  /** Nothing more is computed. The cache stays until this is disposed. */
  stop(): void {
    this.#finished = true
    if (!this.#stopped) this.#sampler[Symbol.dispose]()
    this.#stopped = true
    this.#spec.shown?.[Symbol.dispose]()
  }

  /** Stops it. The cache is the caller's to dispose of. */
  park(): Pick<SessionCache, 'positions' | 'settled' | 'stage'> {
    this.stop()
    const settled = this.#run.then(
      () => true,
      () => false
    )
    return { stage: this.#stage, positions: this.#done, settled }
  }

  /** Grows with every step, and with every piece of a picture that was looked at. */
  get progress(): number {
    return this.#stage.position + (this.#spec.shown?.looked ?? 0)
  }

  /**
   * The whole prompt, on the first stage, of which all stages have kept the first `kept` positions. Resolves once its last chunk,
   * or the last committed token, has left this stage.
   */
  async prompt(tokens: Uint32Array, kept = 0): Promise<void> {
    if (!this.#spec.first) throw violation('a prompt goes to the first stage only')
    if (tokens.length !== this.#spec.promptCount) {
      throw violation(`a prompt of ${tokens.length} tokens in a session opened for ${this.#spec.promptCount}`)
    }
    if (this.#prompted) throw violation('a prompt came twice')
    if (kept >= tokens.length) throw violation(`${kept} positions are said to be kept, of ${tokens.length} in all`)
    this.#prompted = true
    for (const token of tokens) this.#admitToken(token)
    // an answer that goes on may have all of the prompt, and some of what stands
    const start = this.#begun ? this.#stage.position : kept
    for (let at = start; at < tokens.length; at = this.#stage.position) {
      const chunk = tokens.subarray(at, prefillEnd(at, tokens.length, this.#spec.prefillChunk))
      const shown = await this.#spec.shown?.in(at, chunk.length)
      if (this.#finished) return
      this.#admit(at, chunk.length)
      await this.#step(chunk, shown)
      if (this.#finished) return
    }
    // one position a step, as they ran before: in longer steps they would come out otherwise
    for (const token of this.#committed.slice(Math.max(0, start - tokens.length))) {
      await this.#feed(token)
      if (this.#finished) return
    }
  }

  /** A piece of a picture that the prompt shows from `position` on, on the first stage, before the prompt. */
  piece(position: number, pixels: Uint8Array): void {
    const { shown } = this.#spec
    if (shown === undefined) throw violation('a piece of a picture goes to the first stage of a model that reads them')
    if (this.#prompted) throw violation('a piece of a picture came behind the prompt')
    shown.add(position, pixels)
  }

  /** One token of the answer, on the first stage. */
  next(position: number, token: number): Promise<void> {
    if (!this.#spec.first) throw violation('a token goes to the first stage only')
    if (position < this.#spec.promptCount) throw violation(`a token at position ${position}, inside the prompt`)
    if (position < this.#spec.promptCount + this.#committed.length) {
      throw violation(`a token at position ${position}, where another stands already`)
    }
    this.#admit(position, 1)
    this.#admitToken(token)
    return this.#feed(token)
  }

  /** Hidden states `[count, hiddenSize]` of the previous stage. */
  hidden(position: number, count: number, hidden: Float32Array): Promise<void> {
    if (this.#spec.first) throw violation('hidden states cannot go to the first stage')
    if (hidden.length !== count * this.#spec.hiddenSize) {
      throw violation(`${hidden.length} values for ${count} positions of ${this.#spec.hiddenSize}`)
    }
    this.#admit(position, count)
    return this.#step(hidden)
  }

  /** Later sessions may begin with what this one has computed of its prefix, once it is disposed. */
  leavePrefix(): void {
    this.#stage.leavePrefix?.()
  }

  /** Stops a run in flight; the slot is free when this returns. */
  [Symbol.dispose](): void {
    this.stop()
    this.#stage[Symbol.dispose]()
  }

  /** The one place that decides whether positions may enter the KV cache. */
  #admit(position: number, count: number): void {
    const { promptCount, tokensMax, prefillChunk } = this.#spec
    if (this.#finished) throw violation('the generation has ended')
    if (this.#awaitsMask) throw violation('an input came before the token that it must follow')
    if (!this.#begun) this.#begin(position)
    if (position !== this.#stage.position) {
      throw violation(`position ${position} came, ${this.#stage.position} is next`)
    }
    const countMax = position < promptCount ? prefillEnd(position, promptCount, prefillChunk) - position : 1
    if (count < 1 || count > countMax)
      throw violation(`${count} positions at ${position}, at most ${countMax} may come`)
    // the last sampled token is never fed back, so it takes no position
    if (position + count > promptCount + tokensMax - 1) {
      throw violation(`position ${position} is beyond the ${tokensMax} tokens the session was opened for`)
    }
  }

  /** All stages of a route begin where the one that has kept the least does; what this one has kept beyond that is forgotten. */
  #begin(position: number): void {
    this.#begun = true
    const begins = position % this.#spec.prefillChunk === 0
    if (begins && position < this.#stage.position) this.#stage.truncate(position)
  }

  #admitToken(token: number): void {
    if (token >= this.#spec.vocabularySize) {
      throw violation(`token ${token}, the vocabulary has ${this.#spec.vocabularySize}`)
    }
  }

  #feed(token: number): Promise<void> {
    this.#tokenInput[0] = token
    return this.#step(this.#tokenInput)
  }

  async #step(input: Uint32Array | Float32Array, shown: readonly ShownStates[] = []): Promise<void> {
    const position = this.#stage.position
    const run = this.#stage.run(input, shown.length === 0 ? {} : { shown })
    this.#run = run
    const output = await run
    this.#computed += this.#stage.position - position
    // disposed while the run was in progress: nobody waits for its result
    if (this.#finished) return
    if (!this.#spec.last) {
      const end = this.#stage.position
      const handedOn = this.#outputs.hidden(position, end - position, output)
      this.#done = end
      await handedOn
    } else if (this.#stage.position >= this.#spec.promptCount) {
      await this.#untilMasked()
      if (this.#finished) return
      this.#answer(output)
    } else if (this.#spec.promptLogprobs === true) {
      this.#score(output)
    }
    if (this.#spec.last) this.#done = this.#stage.position
    this.#stage.warm?.()
  }

  /** Resolves once it is known which tokens may come; mostly it was worked out while the model ran. */
  async #untilMasked(): Promise<void> {
    if (this.#spec.constrained === true && !this.#constrained) {
      throw violation('the prompt came before the session was opened')
    }
    const pending = this.#sampler.ready()
    if (pending === undefined) return
    this.#awaitsMask = true
    await pending
    this.#awaitsMask = false
  }

  #answer(logits: Float32Array): void {
    const standing = this.#committed[this.#tokenCount]
    if (standing === undefined) this.#sample(logits)
    else this.#take(standing, logits)
  }

  /** A token that stands is not sampled; the last of them is, to be compared. */
  #take(token: number, logits: Float32Array): void {
    const position = this.#stage.position
    const last = this.#tokenCount === this.#committed.length - 1
    const exact = last && this.#sampler.pick(logits, position) === token
    this.#sampler.take(token)
    this.#tokenCount++
    if (last) this.#outputs.replayed({ position, exact })
  }

  #sample(logits: Float32Array): void {
    const { endTokens, tokensMax, logprobs, topLogprobs } = this.#spec
    const position = this.#stage.position
    const token = this.#sampler.next(logits, position)
    this.#tokenCount++
    const finish = endTokens.has(token) ? 'end_token' : this.#tokenCount >= tokensMax ? 'tokens_max' : 'continues'
    // on a stage that feeds itself the next run begins with the next token, and writes over the logits
    const kept = logprobs && this.#spec.first ? this.#keep(logits) : logits
    // the first stage waits for this token, the coordinator only watches
    if (finish === 'continues') this.#outputs.nextToken(position, token)
    else this.#finished = true
    const { logprob, top } = logprobs ? logprobsOf(kept, token, topLogprobs) : { logprob: 0, top: [] }
    this.#outputs.sampled({ position, token, finish, logprob, top })
  }

  /** A copy that later runs leave alone: it takes a few hundredths of what log-probabilities take. */
  #keep(logits: Float32Array): Float32Array {
    this.#kept ??= new Float32Array(logits.length)
    this.#kept.set(logits)
    return this.#kept
  }

  /** Scores the prompt's next token with the logits of the positions so far. */
  #score(logits: Float32Array): void {
    const { promptTokens = [], promptCount, topLogprobs } = this.#spec
    const position = this.#stage.position
    const { logprob, top } = logprobsOf(logits, promptTokens[position] ?? 0, topLogprobs)
    this.#scores.push({ logprob, top })
    if (this.#scores.length < SCORES_PER_FRAME && position < promptCount - 1) return
    const scores = this.#scores.splice(0)
    this.#outputs.scores({ position: position - scores.length + 1, scores })
  }
}

/** A chunk's logits are its last position's: all positions have theirs in chunks of one. */
function admitScoring({ prefillChunk, promptCount, promptTokens = [] }: GenerationSpec): void {
  if (prefillChunk !== 1) throw violation(`a prompt is scored in chunks of 1, not of ${prefillChunk}`)
  if (promptTokens.length !== promptCount) {
    throw violation(`${promptTokens.length} tokens came to score in a prompt of ${promptCount}`)
  }
}

/** An answer that goes on has had neither its last token nor one that ends it. */
function admitCommitted({ tokensMax, endTokens }: GenerationSpec, committed: readonly number[]): void {
  if (committed.length >= tokensMax) throw violation(`${committed.length} tokens stand, of at most ${tokensMax}`)
  const end = committed.find(token => endTokens.has(token))
  if (end !== undefined) throw violation(`token ${end} stands in the answer, and ends it`)
}

function violation(message: string): MeshError {
  return new MeshError('protocol_violation', message, {
    hint: 'the sender broke the order of the stage protocol; the session is over, others are not affected'
  })
}
