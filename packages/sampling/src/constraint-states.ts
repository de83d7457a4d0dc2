import { ANSWER_STEPS_MAX, Grammar, type GrammarState, tokenBudget } from '@resultity/grammar'
import type { TokenVocabulary } from '@resultity/tokenizer'
import {
  type ConstraintNotice,
  type ConstraintReply,
  type ConstraintRequest,
  toFailure,
  tokenNotAllowed
} from './constraint-messages.ts'
import { afterToken, allowedTokens, type SpellingTable, spellingsOf } from './vocabulary-mask.ts'

/** States of one grammar that can be named; masks of all of them were sent. */
const STATES_MAX = 8192

interface Vocabulary {
  readonly tokens: TokenVocabulary
  readonly spellings: SpellingTable
}

interface CompiledGrammar {
  readonly grammar: Grammar
  readonly vocabulary: Vocabulary
  readonly vocabularyId: number
  /** By their ids. */
  readonly states: Map<number, GrammarState>
  /** How often the grammar had forgotten when `states` was last emptied. */
  forgotten: number
}

/** The grammars of answers with their states: all that the thread of constraints does. */
export class ConstraintStates {
  readonly #vocabularies = new Map<number, Vocabulary>()
  readonly #grammars = new Map<number, CompiledGrammar>()

  note(notice: ConstraintNotice): void {
    if (notice.type === 'forget_grammar') this.#grammars.delete(notice.grammar)
    else if (notice.type === 'vocabulary') {
      this.#vocabularies.set(notice.vocabulary, { tokens: notice.tokens, spellings: spellingsOf(notice.tokens) })
    } else {
      this.#vocabularies.delete(notice.vocabulary)
      for (const [id, { vocabularyId }] of this.#grammars) {
        if (vocabularyId === notice.vocabulary) this.#grammars.delete(id)
      }
    }
  }

  /** Never throws: what goes wrong is the answer's own failure. */
  answer(request: ConstraintRequest): ConstraintReply {
    try {
      return request.type === 'open' ? this.#open(request) : this.#step(request)
    } catch (error) {
      return { type: 'failed', failure: toFailure(error) }
    }
  }

  #open({
    grammar: id,
    vocabulary: vocabularyId,
    constraint,
    tokens
  }: ConstraintRequest & { type: 'open' }): ConstraintReply {
    let compiled = this.#grammars.get(id)
    if (compiled === undefined) {
      const vocabulary = this.#vocabularies.get(vocabularyId)
      if (vocabulary === undefined) return { type: 'unknown' }
      const grammar = new Grammar(constraint, vocabulary.tokens.leadingSpaces)
      compiled = { grammar, vocabulary, vocabularyId, states: new Map(), forgotten: 0 }
      this.#grammars.set(id, compiled)
    }
    const { grammar, vocabulary } = compiled
    // the tokens came before, within the answer's own budget: here they only must not take for ever
    grammar.work(tokenBudget(ANSWER_STEPS_MAX))
    let state: GrammarState | undefined = grammar.start
    for (const token of tokens) {
      state = afterToken(grammar, state, token, vocabulary.spellings)
      if (state === undefined) throw tokenNotAllowed(token)
    }
    return this.#told(compiled, state, tokenBudget())
  }

  #step({ grammar: id, state: stateId, token }: ConstraintRequest & { type: 'step' }): ConstraintReply {
    const compiled = this.#grammars.get(id)
    const before = compiled?.states.get(stateId)
    if (compiled === undefined || before === undefined) return { type: 'unknown' }
    const budget = tokenBudget()
    compiled.grammar.work(budget)
    const state = afterToken(compiled.grammar, before, token, compiled.vocabulary.spellings)
    if (state === undefined) throw tokenNotAllowed(token)
    return this.#told(compiled, state, budget)
  }

  /** Tells of `state`, with its mask where that is news. */
  #told(compiled: CompiledGrammar, state: GrammarState, budget: ReturnType<typeof tokenBudget>): ConstraintReply {
    const { grammar, states, vocabulary } = compiled
    const isNew = !states.has(state.id)
    grammar.work(budget)
    const allowed = isNew ? allowedTokens(grammar, state, vocabulary.tokens) : undefined
    // states hold on to what the grammar forgot
    if (compiled.forgotten !== grammar.forgotten || states.size >= STATES_MAX) states.clear()
    compiled.forgotten = grammar.forgotten
    states.set(state.id, state)
    const { id, nullable } = state
    return { type: 'state', state: id, complete: nullable, allowed, bytes: grammar.bytes, spent: budget.spent }
  }
}
