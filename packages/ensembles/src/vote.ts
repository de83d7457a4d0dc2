import { checkJsonShape } from '@resultity/api-kit'

/** What one answer votes for; undefined when it abstains. */
export type BallotOf = (text: string) => string | undefined

export interface Ballot {
  readonly answer: string
  /** Indices of the answers that agree, ascending. */
  readonly voters: readonly number[]
}

/**
 * Who wins: the first of those who agree with the most; the first that answered when nobody votes.
 *
 * @param answers by index of the model; undefined where it failed, and then it has no vote
 * @returns `winner` is undefined when there is no answer at all; ballots with the most votes come first
 */
export function vote(
  answers: readonly (string | undefined)[],
  ballotOf: BallotOf
): { readonly winner: number | undefined; readonly ballots: readonly Ballot[] } {
  const voters = new Map<string, number[]>()
  for (const [index, text] of answers.entries()) {
    const ballot = text === undefined ? undefined : ballotOf(text)
    if (ballot !== undefined) voters.set(ballot, [...(voters.get(ballot) ?? []), index])
  }
  // the sort is stable: of equals, the one whose first voter was named first
  const ballots = [...voters]
    .map(([answer, indices]) => ({ answer, voters: indices }))
    .toSorted((a, b) => b.voters.length - a.voters.length)
  const first = answers.findIndex(text => text !== undefined)
  return { winner: ballots[0]?.voters[0] ?? (first === -1 ? undefined : first), ballots }
}

/** Answers that differ in case, spacing, quotes or a full stop say the same. */
export function normalised(text: string): string {
  const plain = text.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ').trim()
  let [start, end] = [0, plain.length]
  while (start < end && OPENING.has(plain.charAt(start))) start++
  while (start < end && CLOSING.has(plain.charAt(end - 1))) end--
  return start === end ? plain : plain.slice(start, end)
}

/** What may stand around an answer. One by one: a pattern's `+$` is tried from every character on. */
const OPENING: ReadonlySet<string> = new Set(' "\'`*_([')
const CLOSING: ReadonlySet<string> = new Set(' "\'`*_.!?,;:)]')

/** Votes by one field of answers that are JSON; the others abstain. */
export function byField(path: string): BallotOf {
  const keys = path.split('.')
  return text => {
    let value: unknown = parsed(text)
    for (const key of keys) value = fieldOf(value, key)
    if (value === undefined || value === null) return undefined
    return typeof value === 'string' ? normalised(value) : JSON.stringify(sorted(value))
  }
}

/** Models like to put JSON into a fence. */
function parsed(text: string): unknown {
  const [, fenced, closing] = text.split('```', 3)
  const json = fenced === undefined || closing === undefined ? text : fenced.replace(/^json/, '')
  try {
    checkJsonShape(json, 'an answer')
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function fieldOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return Object.entries(value).find(([name]) => name === key)?.[1]
}

/** The same value whatever the order of its keys. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]))
}
