import { type Route, safeParse } from '@resultity/interface'
import type { PlacementKernels } from '@resultity/placement'
import type { PromptScores, Sampled, TokenScore } from '@resultity/wire'
import type { Reroutes } from '../recovery-state.ts'
import { type EntryBeginning, type EntryScore, type ProgressEntry, progressEntrySchema } from './progress-entry.ts'

/** What is said of an answer, whichever route said it. */
export type ToldScores = Pick<PromptScores, 'type' | 'position' | 'scores'>
export type ToldToken = Pick<Sampled, 'type' | 'token' | 'finish' | 'logprob' | 'top'>

/** What earlier attempts at an answer have told of it: it stands, and the next attempt goes on after it. */
export interface EarlierAnswer {
  /** Digest of the model and the prompt that it is the answer to. */
  readonly of: string
  /** Positions of one step of its prompt. */
  readonly prefillChunk: number
  /** Where it began. */
  readonly route: Route
  readonly kernels: PlacementKernels
  /** All scores of the prompt, where they were asked for. */
  readonly scores: ToldScores | undefined
  /** At least one. */
  readonly tokens: readonly ToldToken[]
  readonly reroutes: Reroutes
}

/**
 * Reads what attempts have kept of one choice. Pure.
 *
 * @param entries of all choices, in order
 * @returns undefined when no token was kept, or when they are not to be read: then the answer begins anew
 */
export function earlierAnswer(entries: readonly unknown[], index: number): EarlierAnswer | undefined {
  let begun: EntryBeginning | undefined
  let reroutes: Reroutes = { count: 0, exact: true }
  const scores: TokenScore[] = []
  const tokens: ToldToken[] = []
  for (const entry of entries) {
    if (!isOf(entry, index)) continue
    const parsed = safeParse(progressEntrySchema, entry)
    if (!parsed.success) return undefined
    const { at, prompt, beginning } = parsed.data
    // nothing that comes behind a gap is of use
    if (at > tokens.length || (prompt !== undefined && prompt.position > scores.length + 1)) break
    if (at < tokens.length) tokens.length = at
    if (prompt !== undefined) scores.splice(prompt.position - 1, scores.length, ...prompt.scores.map(scoreOf))
    tokens.push(...tokensOf(parsed.data))
    begun = beginning ?? (tokens.length === 0 ? undefined : begun)
    reroutes = parsed.data.reroutes ?? (beginning === undefined ? reroutes : { count: 0, exact: true })
  }
  if (begun === undefined || tokens.length === 0) return undefined
  return { ...readBeginning(begun), scores: toldScores(scores), tokens, reroutes }
}

function isOf(entry: unknown, index: number): boolean {
  return typeof entry === 'object' && entry !== null && 'index' in entry && entry.index === index
}

function toldScores(scores: readonly TokenScore[]): ToldScores | undefined {
  return scores.length === 0 ? undefined : { type: 'scores', position: 1, scores }
}

function tokensOf({ tokens, logprobs = [], finish }: ProgressEntry): ToldToken[] {
  return tokens.map((token, index) => {
    const isLast = index === tokens.length - 1
    const { logprob, top } = logprobs[index] === undefined ? { logprob: 0, top: [] } : scoreOf(logprobs[index])
    return { type: 'sampled', token, finish: isLast && finish !== undefined ? finish : 'continues', logprob, top }
  })
}

function readBeginning({ of, prefillChunk, placementId, stages }: EntryBeginning) {
  const route = stages.map(({ peerId, first, end }) => ({ peerId, range: { first, end } }))
  const kernels = stages.map(({ peerId, first, end, kernels, selfTest }) => ({
    peerId,
    range: { first, end },
    ...(kernels === undefined ? {} : { kernels }),
    report: { selfTestSha256: selfTest }
  }))
  return { of, prefillChunk, route: { placementId, stages: route }, kernels: { stages: kernels } }
}

/** As an entry has it. */
export function entryScore({ logprob, top }: TokenScore): EntryScore {
  return [finiteOf(logprob), top.map(one => [one.token, finiteOf(one.logprob)])]
}

function scoreOf([logprob, top]: EntryScore): TokenScore {
  return { logprob: numberOf(logprob), top: top.map(([token, one]) => ({ token, logprob: numberOf(one) })) }
}

function finiteOf(logprob: number): number | null {
  return logprob === Number.NEGATIVE_INFINITY ? null : logprob
}

function numberOf(logprob: number | null): number {
  return logprob ?? Number.NEGATIVE_INFINITY
}
