import { createHash } from 'node:crypto'
import type { Route } from '@resultity/interface'
import type { PlacementKernels } from '@resultity/placement'
import type { Reroutes } from '../recovery-state.ts'
import { type EarlierAnswer, earlierAnswer, entryScore, type ToldScores, type ToldToken } from './earlier-answer.ts'
import type { EntryBeginning, EntryScore, ProgressEntry } from './progress-entry.ts'

export interface AnswerProgressInit {
  /** Of the choice. */
  readonly index: number
  /** Entries of earlier attempts, of all choices. */
  readonly entries: readonly unknown[]
  /** About as many bytes are kept; what comes after them a further attempt has to make again. */
  readonly bytesMax: number
}

/** What made the first token of an answer. */
export interface AnswerBeginning {
  /** Positions of one step of the prompt. */
  readonly prefillChunk: number
  readonly route: Route
  readonly kernels: PlacementKernels
}

/** Bytes of a token's id in an entry, and of a probability with its token. */
const TOKEN_BYTES = 8
const SCORE_BYTES = 32

/**
 * Keeps what an answer needs to go on in another process: its tokens, and what they were made of. Whoever writes it down asks
 * for what is new by {@link take}.
 *
 * Nothing else is needed. The request has the seed, and the generator is keyed by (seed, position). What a constraint and
 * penalties know of the answer follows from its tokens.
 */
export class AnswerProgress {
  readonly #index: number
  readonly #earlier: EarlierAnswer | undefined
  #of = ''
  #bytesLeft: number
  /** Tokens in entries that were taken. */
  #count = 0
  #tokens: number[] = []
  #logprobs: EntryScore[] = []
  #finish: ProgressEntry['finish']
  #prompt: { position: number; scores: EntryScore[] } | undefined
  #beginning: EntryBeginning | undefined
  #reroutes = 0
  #rerouted: Reroutes | undefined
  /** That the answer is no good is to be said. */
  #discard = false
  #onChange = (): void => {}

  constructor({ index, entries, bytesMax }: AnswerProgressInit) {
    this.#index = index
    this.#earlier = earlierAnswer(entries, index)
    this.#bytesLeft = bytesMax
  }

  /** Calls `listener` when there is something to {@link take}. */
  onChange(listener: () => void): void {
    this.#onChange = listener
  }

  /**
   * Begins to keep the answer.
   *
   * @param of what it is an answer to, as {@link answerDigest} names it
   * @returns what earlier attempts told, which this one goes on from. Undefined: it begins anew, as nothing was kept, or as an
   *   answer to something else
   */
  start(of: string): EarlierAnswer | undefined {
    this.#of = of
    const earlier = this.#earlier
    if (earlier?.of !== of) return undefined
    this.#count = earlier.tokens.length
    this.#reroutes = earlier.reroutes.count
    this.#bytesLeft -= earlier.tokens.reduce((sum, token) => sum + bytesOf(token), 0)
    if (earlier.scores !== undefined) this.#bytesLeft -= scoresBytes(earlier.scores)
    return earlier
  }

  /** The first token comes next. */
  begin({ prefillChunk, route, kernels }: AnswerBeginning): void {
    const stages = kernels.stages.map(({ peerId, range: { first, end }, kernels: ofNode, report }) => ({
      ...{ peerId, first, end, selfTest: report.selfTestSha256 },
      ...(ofNode === undefined ? {} : { kernels: ofNode })
    }))
    this.#beginning = { of: this.#of, prefillChunk, placementId: route.placementId, stages }
  }

  /** @param reroutes of the answer up to now, this token included */
  add(told: ToldScores | ToldToken, reroutes: Reroutes): void {
    if (!this.#hasRoom(told)) return
    if (told.type === 'scores') this.#addScores(told)
    else this.#addToken(told, reroutes)
    this.#onChange()
  }

  /** The answer is no good: a further attempt begins anew. */
  discard(): void {
    this.#clear()
    this.#discard = true
    this.#bytesLeft = 0
    this.#onChange()
  }

  /** All that is new, as an entry; undefined: nothing is. */
  take(): ProgressEntry | undefined {
    if (this.#discard) {
      this.#discard = false
      return { index: this.#index, at: 0, tokens: [] }
    }
    if (this.#tokens.length === 0 && this.#prompt === undefined) return undefined
    const entry: ProgressEntry = {
      index: this.#index,
      at: this.#count,
      tokens: this.#tokens,
      ...(this.#logprobs.length === 0 ? {} : { logprobs: this.#logprobs }),
      ...(this.#finish === undefined ? {} : { finish: this.#finish }),
      ...(this.#prompt === undefined ? {} : { prompt: this.#prompt }),
      ...(this.#beginning === undefined ? {} : { beginning: this.#beginning }),
      ...(this.#rerouted === undefined ? {} : { reroutes: this.#rerouted })
    }
    this.#count += this.#tokens.length
    this.#clear()
    return entry
  }

  /** Once there is no room nothing further is kept: what is must have no gap. */
  #hasRoom(told: ToldScores | ToldToken): boolean {
    if (this.#bytesLeft > 0) this.#bytesLeft -= told.type === 'scores' ? scoresBytes(told) : bytesOf(told)
    return this.#bytesLeft > 0
  }

  #addScores({ position, scores }: ToldScores): void {
    this.#prompt ??= { position, scores: [] }
    for (const score of scores) this.#prompt.scores.push(entryScore(score))
  }

  #addToken({ token, finish, logprob, top }: ToldToken, reroutes: Reroutes): void {
    this.#tokens.push(token)
    // an entry has one for each of its tokens, or none
    if (logprob !== 0 || top.length > 0 || this.#logprobs.length > 0) this.#addLogprob({ logprob, top })
    if (finish !== 'continues') this.#finish = finish
    if (reroutes.count === this.#reroutes) return
    this.#reroutes = reroutes.count
    this.#rerouted = reroutes
  }

  #addLogprob(score: Pick<ToldToken, 'logprob' | 'top'>): void {
    while (this.#logprobs.length < this.#tokens.length - 1) this.#logprobs.push([0, []])
    this.#logprobs.push(entryScore(score))
  }

  #clear(): void {
    this.#tokens = []
    this.#logprobs = []
    this.#finish = undefined
    this.#prompt = undefined
    this.#beginning = undefined
    this.#rerouted = undefined
  }
}

function bytesOf({ top }: Pick<ToldToken, 'top'>): number {
  return TOKEN_BYTES + SCORE_BYTES * top.length
}

function scoresBytes({ scores }: ToldScores): number {
  return scores.reduce((sum, score) => sum + SCORE_BYTES + bytesOf(score), 0)
}

/** Names what an answer is an answer to: a model's weights and the ids of a prompt. */
export function answerDigest(manifestSha256: string, prompt: readonly number[]): string {
  return createHash('sha256').update(manifestSha256).update(Uint32Array.from(prompt)).digest('hex')
}
