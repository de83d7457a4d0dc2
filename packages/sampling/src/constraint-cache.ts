/** A place in the answers of one grammar, with what is known of it. */
export interface ConstraintState {
  readonly id: number
  /** The answer may end here. */
  readonly complete: boolean
  /** One bit for each token that may come next. */
  readonly allowed: Uint32Array
  /** By the token that leads there, as far as answers have been there. */
  readonly next: Map<number, ConstraintState>
}

/** A grammar in the thread of constraints, and the states that are known here. */
export interface CachedGrammar {
  readonly key: string
  /** The thread's name for it; never used again for another. */
  readonly id: number
  readonly vocabulary: number
  readonly states: Map<number, ConstraintState>
  start: ConstraintState | undefined
  /** In the thread. */
  bytesThere: number
  bytesHere: number
}

/** Bytes of a state beside its mask, and of one way from a state to another: by measurement. */
const STATE_BYTES = 640
const TRANSITION_BYTES = 64
const GRAMMAR_BYTES = 1024

/**
 * The grammars of all vocabularies. One budget of bytes bounds them, here and in the thread together. The one that was used
 * least recently goes first.
 */
export class ConstraintCache {
  readonly #bytesMax: number
  readonly #onForgotten: (grammar: CachedGrammar) => void
  readonly #grammars = new Map<string, CachedGrammar>()
  #bytes = 0
  #count = 0

  constructor(bytesMax: number, onForgotten: (grammar: CachedGrammar) => void) {
    this.#bytesMax = bytesMax
    this.#onForgotten = onForgotten
  }

  /** About. */
  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#grammars.size
  }

  /** The grammar with this key, made when there is none, and now the one that was used last. */
  use(key: string, vocabulary: number): CachedGrammar {
    const known = this.#grammars.get(key)
    const grammar = known ?? {
      key,
      id: this.#count++,
      vocabulary,
      states: new Map(),
      start: undefined,
      bytesThere: 0,
      bytesHere: 0
    }
    this.#grammars.delete(key)
    this.#grammars.set(key, grammar)
    if (known === undefined) this.#grow(grammar, GRAMMAR_BYTES)
    return grammar
  }

  /** Call it when an answer has used `grammar`, which may have grown by that. */
  touch(grammar: CachedGrammar): void {
    if (!this.has(grammar)) return
    this.#grammars.delete(grammar.key)
    this.#grammars.set(grammar.key, grammar)
  }

  has(grammar: CachedGrammar): boolean {
    return this.#grammars.get(grammar.key) === grammar
  }

  /** Keeps a state, if it is news. */
  keepState(grammar: CachedGrammar, state: Omit<ConstraintState, 'next'>, bytesThere: number): ConstraintState {
    const kept = grammar.states.get(state.id) ?? { ...state, next: new Map() }
    const isNew = !grammar.states.has(state.id)
    grammar.states.set(state.id, kept)
    const growth = bytesThere - grammar.bytesThere
    grammar.bytesThere = bytesThere
    if (this.has(grammar)) this.#bytes += growth
    this.#grow(grammar, isNew ? STATE_BYTES + state.allowed.byteLength : 0)
    return kept
  }

  keepTransition(grammar: CachedGrammar, from: ConstraintState, token: number, to: ConstraintState): void {
    if (!this.has(grammar)) return
    from.next.set(token, to)
    this.#grow(grammar, TRANSITION_BYTES)
  }

  forget(grammar: CachedGrammar): void {
    if (!this.has(grammar)) return
    this.#grammars.delete(grammar.key)
    this.#bytes -= grammar.bytesHere + grammar.bytesThere
    // an answer holds the state where it is, and must not hold all that could follow
    for (const state of grammar.states.values()) state.next.clear()
    grammar.states.clear()
    this.#onForgotten(grammar)
  }

  forgetVocabulary(vocabulary: number): void {
    for (const grammar of this.#grammars.values()) if (grammar.vocabulary === vocabulary) this.forget(grammar)
  }

  #grow(grammar: CachedGrammar, bytes: number): void {
    if (!this.has(grammar)) return
    grammar.bytesHere += bytes
    this.#bytes += bytes
    for (const oldest of this.#grammars.values()) {
      if (this.#bytes <= this.#bytesMax) return
      this.forget(oldest)
    }
  }
}
