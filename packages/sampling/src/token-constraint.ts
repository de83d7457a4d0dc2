import { createHash } from 'node:crypto'
import { ANSWER_STEPS_MAX, ANSWER_STEPS_PER_TOKEN } from '@resultity/grammar'
import { MeshError, type OutputConstraint } from '@resultity/interface'
import type { TokenVocabulary } from '@resultity/tokenizer'
import { type CachedGrammar, ConstraintCache, type ConstraintState } from './constraint-cache.ts'
import { type ConstraintReply, fromFailure, tokenNotAllowed } from './constraint-messages.ts'
import { ConstraintThread } from './constraint-thread.ts'
import { forbidOthers, isAllowed } from './vocabulary-mask.ts'

/** Decides token by token what an answer may become. One for each answer; dispose when that is over. */
export interface TokenConstraint extends Disposable {
  /** The answer may end here. */
  readonly complete: boolean
  /**
   * Resolves once it is known what may come next; undefined when it is known already.
   *
   * @throws MeshError `invalid_request` when that is too much work, `canceled` once this is disposed of
   */
  ready(): Promise<void> | undefined
  /**
   * Sets the logits of tokens that may not come next to −∞. When ready.
   *
   * @throws MeshError `engine_failed` when no token of the vocabulary may come
   */
  mask(logits: Float32Array): void
  /**
   * Takes in the token that came. When ready, and then it may no longer be.
   *
   * @throws MeshError `engine_failed` when it may not
   */
  accept(token: number): void
}

export interface ConstraintCompilerInit {
  /** Bytes of grammars, states and masks that are kept, here and in the thread together. */
  readonly cacheBytesMax?: number
  /** Of one mask, or one compilation. */
  readonly requestMsMax?: number
}

/** 16 of the largest grammars, or 3,000 masks of a vocabulary of 128 Ki tokens. */
const CACHE_BYTES_MAX = 64 * 1024 * 1024
const REQUEST_MS_MAX = 20_000
/** Four times what the cache lets grammars take: one request may pass it before anything is forgotten. */
const THREAD_HEAP_MB_MAX = 256

/**
 * Makes constraints over vocabularies, one for a whole process. All that takes long is done in a thread of its own, and
 * what one answer found out about a grammar serves the next.
 */
export class ConstraintCompiler implements AsyncDisposable {
  readonly #thread: ConstraintThread
  readonly #cache: ConstraintCache
  readonly #vocabularies = new Map<TokenVocabulary, number>()
  #count = 0

  constructor({ cacheBytesMax = CACHE_BYTES_MAX, requestMsMax = REQUEST_MS_MAX }: ConstraintCompilerInit = {}) {
    this.#thread = new ConstraintThread({ requestMsMax, heapMbMax: THREAD_HEAP_MB_MAX })
    this.#cache = new ConstraintCache(cacheBytesMax, ({ id }) =>
      this.#thread.tell({ type: 'forget_grammar', grammar: id })
    )
  }

  /** Bytes of all that is kept, about. */
  get bytes(): number {
    return this.#cache.bytes
  }

  /**
   * @param endTokens what may end the answer once it is complete; at least one, or it could not end
   * @throws MeshError `invalid_request` naming the part of `constraint` that cannot be enforced or takes too much work
   */
  async constrain(
    vocabulary: TokenVocabulary,
    constraint: OutputConstraint,
    endTokens: ReadonlySet<number>
  ): Promise<TokenConstraint> {
    if (endTokens.size === 0) {
      throw new MeshError('invalid_request', 'an answer that is held to a grammar needs an end token', {
        hint: 'Leave ignore_eos out.'
      })
    }
    const id = this.#vocabularies.get(vocabulary) ?? this.#count++
    this.#vocabularies.set(vocabulary, id)
    // a digest: the constraint itself may have a quarter of a megabyte
    const key = `${id} ${createHash('sha256').update(JSON.stringify(constraint)).digest('base64')}`
    const init = { key, vocabulary, vocabularyId: id, constraint, endTokens }
    const made = new GrammarConstraint(this.#thread, this.#cache, init)
    await made.ready()
    return made
  }

  /** Lets go of all that is kept for `vocabulary`. */
  release(vocabulary: TokenVocabulary): void {
    const id = this.#vocabularies.get(vocabulary)
    if (id === undefined) return
    this.#vocabularies.delete(vocabulary)
    this.#cache.forgetVocabulary(id)
    this.#thread.tell({ type: 'forget_vocabulary', vocabulary: id })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#thread[Symbol.asyncDispose]()
  }
}

interface GrammarConstraintInit {
  readonly key: string
  readonly vocabulary: TokenVocabulary
  readonly vocabularyId: number
  readonly constraint: OutputConstraint
  readonly endTokens: ReadonlySet<number>
}

class GrammarConstraint implements TokenConstraint {
  readonly #thread: ConstraintThread
  readonly #cache: ConstraintCache
  readonly #init: GrammarConstraintInit
  readonly #over = new AbortController()
  /** So far: enough to find the way again when the thread has forgotten it. */
  readonly #tokens: number[] = []
  #grammar: CachedGrammar
  /** Undefined while it is worked out. */
  #state: ConstraintState | undefined
  #pending: Promise<void> | undefined
  #stepsLeft = ANSWER_STEPS_MAX

  constructor(thread: ConstraintThread, cache: ConstraintCache, init: GrammarConstraintInit) {
    this.#thread = thread
    this.#cache = cache
    this.#init = init
    this.#grammar = cache.use(init.key, init.vocabularyId)
    this.#state = this.#grammar.start
    if (this.#state === undefined) this.#wait(this.#open())
  }

  get complete(): boolean {
    return this.#here.complete
  }

  ready(): Promise<void> | undefined {
    return this.#pending
  }

  mask(logits: Float32Array): void {
    const { complete, allowed } = this.#here
    const { endTokens } = this.#init
    const endLogits = complete ? [...endTokens].map(token => [token, logits[token] ?? 0] as const) : []
    forbidOthers(logits, allowed)
    // end tokens differ from answer to answer, so no mask holds them
    for (const token of endTokens) logits[token] = Number.NEGATIVE_INFINITY
    for (const [token, logit] of endLogits) logits[token] = logit
    if (endLogits.length === 0 && allowed.every(word => word === 0)) throw stuck()
  }

  accept(token: number): void {
    const state = this.#here
    if (this.#init.endTokens.has(token) && state.complete) return
    if (!isAllowed(state.allowed, token)) throw tokenNotAllowed(token)
    this.#tokens.push(token)
    this.#cache.touch(this.#grammar)
    this.#stepsLeft = Math.min(ANSWER_STEPS_MAX, this.#stepsLeft + ANSWER_STEPS_PER_TOKEN)
    this.#state = state.next.get(token)
    if (this.#state === undefined) this.#wait(this.#step(state, token))
  }

  [Symbol.dispose](): void {
    this.#over.abort()
  }

  get #here(): ConstraintState {
    if (this.#state === undefined) throw new MeshError('internal', 'a constraint was used before it was ready')
    return this.#state
  }

  #wait(work: Promise<ConstraintState>): void {
    const pending = work.then(state => {
      this.#state = state
      this.#pending = undefined
    })
    // the caller that waits for it gets the error; when the answer has ended, no caller waits
    pending.catch(() => undefined)
    this.#pending = pending
  }

  async #step(from: ConstraintState, token: number): Promise<ConstraintState> {
    const grammar = this.#grammar
    if (this.#stepsLeft <= 0) throw tooMuchInAll()
    const { signal } = this.#over
    const reply = await this.#thread.ask({ type: 'step', grammar: grammar.id, state: from.id, token }, signal)
    if (reply.type === 'unknown') return this.#open()
    const state = this.#take(grammar, reply)
    if (state === undefined) return this.#open()
    this.#cache.keepTransition(grammar, from, token, state)
    return state
  }

  /** From the first token on, in a grammar that is compiled where it is not there. */
  async #open(): Promise<ConstraintState> {
    const { key, vocabulary, vocabularyId, constraint } = this.#init
    const { signal } = this.#over
    for (let attempt = 0; attempt < OPEN_ATTEMPTS_MAX; attempt++) {
      const grammar = this.#cache.use(key, vocabularyId)
      this.#grammar = grammar
      const tokens = [...this.#tokens]
      const request = { type: 'open', grammar: grammar.id, vocabulary: vocabularyId, constraint, tokens } as const
      const reply = await this.#thread.ask(request, signal, vocabulary)
      const state = this.#take(grammar, reply)
      if (state === undefined) this.#cache.forget(grammar)
      else {
        if (tokens.length === 0) grammar.start = state
        return state
      }
    }
    throw new MeshError('resource_exhausted', 'the grammar of an answer was forgotten again and again', {
      hint: 'Too many answers are held to large schemas at once here; try again later.'
    })
  }

  /** @returns undefined when the thread or the cache no longer knows what the reply is about */
  #take(grammar: CachedGrammar, reply: ConstraintReply): ConstraintState | undefined {
    if (reply.type === 'failed') {
      // one that was never compiled is not kept
      if (grammar.states.size === 0) this.#cache.forget(grammar)
      throw fromFailure(reply.failure)
    }
    if (reply.type === 'unknown') return undefined
    this.#stepsLeft -= reply.spent
    const { state: id, complete, bytes } = reply
    const allowed = reply.allowed ?? grammar.states.get(id)?.allowed
    return allowed && this.#cache.keepState(grammar, { id, complete, allowed }, bytes)
  }
}

/** One may be forgotten while it is worked at; several times in a row means that the cache is far too small. */
const OPEN_ATTEMPTS_MAX = 4

function tooMuchInAll(): MeshError {
  const problem = `takes more than ${ANSWER_STEPS_MAX} steps of work over all of the answer's tokens`
  return new MeshError('invalid_request', `what the answer is held to ${problem}`, {
    hint: 'Make the schema smaller: fewer alternatives, shorter names and lists, no counts within counts in a pattern.'
  })
}

function stuck(): MeshError {
  return new MeshError('engine_failed', 'no token of the vocabulary can continue what the answer must be', {
    hint: 'The vocabulary lacks single bytes; use another model for constrained answers.'
  })
}
