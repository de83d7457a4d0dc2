import { Grammar, type GrammarState } from '@resultity/grammar'
import { MeshError, type OutputConstraint } from '@resultity/interface'
import type { TokenVocabulary } from '@resultity/model'

/** Decides token by token what an answer may become. One for each answer. */
export interface TokenConstraint {
  /** The answer may end here. */
  readonly complete: boolean
  /**
   * Sets the logits of tokens that may not come next to −∞.
   *
   * @throws MeshError `engine_failed` when no token of the vocabulary may come
   */
  mask(logits: Float32Array): void
  /**
   * Takes in the token that came.
   *
   * @throws MeshError `engine_failed` when it may not
   */
  accept(token: number): void
}

/** Constraints whose grammars and masks are kept: clients repeat their schemas. */
const GRAMMARS_MAX = 16
/** Masks of one grammar, one for each place in a text where some answer has been. 128 Ki tokens take 16 KiB. */
const MASKS_MAX = 1024

/** A grammar with what is known of its states so far. */
interface CompiledGrammar {
  readonly grammar: Grammar
  readonly masks: Map<GrammarState, Uint32Array>
}

/** Makes constraints over one vocabulary. What one answer found out about a grammar serves the next. */
export class ConstraintCompiler {
  readonly #vocabulary: TokenVocabulary
  readonly #spellings: SpellingTable
  readonly #compiled = new Map<string, CompiledGrammar>()

  constructor(vocabulary: TokenVocabulary) {
    this.#vocabulary = vocabulary
    this.#spellings = spellingsOf(vocabulary)
  }

  /**
   * @param endTokens what may end the answer once it is complete; at least one, or it could not end
   * @throws MeshError `invalid_request` naming what in `constraint` cannot be held to
   */
  constrain(constraint: OutputConstraint, endTokens: ReadonlySet<number>): TokenConstraint {
    if (endTokens.size === 0) {
      throw new MeshError('invalid_request', 'an answer that is held to a grammar needs an end token', {
        hint: 'Leave ignore_eos out.'
      })
    }
    const key = JSON.stringify(constraint)
    const known = this.#compiled.get(key)
    const compiled = known ?? {
      grammar: new Grammar(constraint, this.#vocabulary.leadingSpaces),
      masks: new Map<GrammarState, Uint32Array>()
    }
    // the one used last is forgotten last
    this.#compiled.delete(key)
    this.#compiled.set(key, compiled)
    const [oldest] = this.#compiled.keys()
    if (this.#compiled.size > GRAMMARS_MAX && oldest !== undefined) this.#compiled.delete(oldest)
    return new GrammarConstraint(compiled, this.#vocabulary, this.#spellings, endTokens)
  }
}

class GrammarConstraint implements TokenConstraint {
  readonly #compiled: CompiledGrammar
  readonly #vocabulary: TokenVocabulary
  readonly #spellings: SpellingTable
  readonly #endTokens: ReadonlySet<number>
  #state: GrammarState

  constructor(
    compiled: CompiledGrammar,
    vocabulary: TokenVocabulary,
    spellings: SpellingTable,
    endTokens: ReadonlySet<number>
  ) {
    this.#compiled = compiled
    this.#vocabulary = vocabulary
    this.#spellings = spellings
    this.#endTokens = endTokens
    this.#state = compiled.grammar.start
  }

  get complete(): boolean {
    return this.#state.nullable
  }

  mask(logits: Float32Array): void {
    const { masks } = this.#compiled
    let allowed = masks.get(this.#state)
    if (allowed === undefined) {
      allowed = allowedTokens(this.#compiled.grammar, this.#state, this.#vocabulary)
      if (masks.size >= MASKS_MAX) masks.clear()
      masks.set(this.#state, allowed)
    }
    const endLogits = this.complete ? [...this.#endTokens].map(token => [token, logits[token] ?? 0] as const) : []
    forbidOthers(logits, allowed)
    // end tokens differ from answer to answer, so no mask holds them
    for (const token of this.#endTokens) logits[token] = Number.NEGATIVE_INFINITY
    for (const [token, logit] of endLogits) logits[token] = logit
    if (endLogits.length === 0 && allowed.every(word => word === 0)) throw stuck()
  }

  accept(token: number): void {
    if (this.#endTokens.has(token) && this.complete) return
    let state: GrammarState | undefined = this.#state
    const { bytes, starts } = this.#spellings
    const end = starts[token + 1] ?? 0
    for (let at = starts[token] ?? 0; at < end && state !== undefined; at++) {
      state = this.#compiled.grammar.after(state, bytes[at] ?? 0)
    }
    if (state === undefined || starts[token] === end) throw notAllowed(token)
    this.#state = state
  }
}

/** One bit for each token that may come at `state`. */
function allowedTokens(grammar: Grammar, state: GrammarState, { size, trie }: TokenVocabulary): Uint32Array {
  const allowed = new Uint32Array(Math.ceil(size / 32))
  const { byte, depth, behind, tokensAt, tokens } = trie
  // the state before each byte of the path that is walked
  const path: GrammarState[] = new Array(trie.depthMax + 1)
  path[0] = state
  for (let node = 0; node < byte.length; ) {
    const level = depth[node] ?? 1
    const before = path[level - 1] ?? state
    const after = grammar.after(before, byte[node] ?? 0)
    if (after === undefined) {
      node = behind[node] ?? byte.length
      continue
    }
    path[level] = after
    const end = tokensAt[node + 1] ?? 0
    for (let at = tokensAt[node] ?? 0; at < end; at++) {
      const token = tokens[at] ?? 0
      allowed[token >>> 5] = (allowed[token >>> 5] ?? 0) | (1 << (token & 31))
    }
    node++
  }
  return allowed
}

function forbidOthers(logits: Float32Array, allowed: Uint32Array): void {
  for (let word = 0; word < allowed.length; word++) {
    const bits = allowed[word] ?? 0
    if (bits === 0xffff_ffff) continue
    const from = word * 32
    const to = Math.min(from + 32, logits.length)
    if (bits === 0) logits.fill(Number.NEGATIVE_INFINITY, from, to)
    else for (let token = from; token < to; token++) if (!((bits >>> (token & 31)) & 1)) logits[token] = -Infinity
  }
}

/** The bytes of every token, one behind the other. */
interface SpellingTable {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
}

function spellingsOf({ size, trie }: TokenVocabulary): SpellingTable {
  const lengths = new Uint32Array(size)
  const nodes = new Uint32Array(size)
  for (let node = 0; node < trie.byte.length; node++) {
    for (let at = trie.tokensAt[node] ?? 0; at < (trie.tokensAt[node + 1] ?? 0); at++) {
      lengths[trie.tokens[at] ?? 0] = trie.depth[node] ?? 0
      nodes[trie.tokens[at] ?? 0] = node
    }
  }
  const starts = new Uint32Array(size + 1)
  for (let token = 0; token < size; token++) starts[token + 1] = (starts[token] ?? 0) + (lengths[token] ?? 0)
  const bytes = new Uint8Array(starts[size] ?? 0)
  const path = new Uint8Array(trie.depthMax)
  for (let node = 0; node < trie.byte.length; node++) {
    const depth = trie.depth[node] ?? 1
    path[depth - 1] = trie.byte[node] ?? 0
    for (let at = trie.tokensAt[node] ?? 0; at < (trie.tokensAt[node + 1] ?? 0); at++) {
      bytes.set(path.subarray(0, depth), starts[trie.tokens[at] ?? 0])
    }
  }
  return { bytes, starts }
}

function stuck(): MeshError {
  return new MeshError('engine_failed', 'no token of the vocabulary can continue what the answer must be', {
    hint: 'The vocabulary lacks single bytes; use another model for constrained answers.'
  })
}

function notAllowed(token: number): MeshError {
  return new MeshError('engine_failed', `token ${token} came, which the answer's constraint does not allow`)
}
