import { randomInt } from 'node:crypto'
import type { SimulationInit } from '@resultity/simulation'

export interface SimulateOptions {
  readonly first: number
  /** Included. */
  readonly last: number
  /** No seed is begun after so long. */
  readonly timeMs: number
  /** One seed was asked for: its events are shown. */
  readonly alone: boolean
  readonly events: number
  readonly init: Omit<SimulationInit, 'seed'>
}

/** As `parseArgs` gives them. */
export interface GivenOptions {
  readonly seed?: string | undefined
  readonly seeds?: string | undefined
  readonly minutes?: string | undefined
  readonly from?: string | undefined
  readonly nodes?: string | undefined
  readonly seconds?: string | undefined
  readonly events?: string | undefined
}

/** A seed is a whole number that a double holds. */
const SEED_MAX = Number.MAX_SAFE_INTEGER

/** @throws Error for what cannot be meant */
export function toOptions(given: GivenOptions): SimulateOptions {
  const chosen = [given.seed, given.seeds, given.minutes].filter(value => value !== undefined)
  if (chosen.length > 1) throw new Error('give one of --seed, --seeds and --minutes')
  return {
    ...rangeOf(given),
    alone: given.seed !== undefined,
    events: number('--events', given.events ?? '60', 0, 200),
    init: {
      ...(given.nodes === undefined ? {} : { nodeCount: number('--nodes', given.nodes, 1, 200) }),
      ...(given.seconds === undefined ? {} : { faultsMs: 1000 * number('--seconds', given.seconds, 0, 86_400) })
    }
  }
}

function rangeOf({ seed, seeds = '1-100', minutes, from }: GivenOptions) {
  const timeMs = Number.POSITIVE_INFINITY
  if (seed !== undefined) {
    const only = number('--seed', seed, 0, SEED_MAX)
    return { first: only, last: only, timeMs }
  }
  if (minutes !== undefined) {
    const first = from === undefined ? randomInt(2 ** 40) : number('--from', from, 0, SEED_MAX)
    return { first, last: SEED_MAX, timeMs: 60_000 * number('--minutes', minutes, 0, 10_000) }
  }
  const [, a, b] = /^(\d+)-(\d+)$/.exec(seeds) ?? []
  const first = number('--seeds', a ?? '', 0, SEED_MAX)
  return { first, last: number('--seeds', b ?? '', first, SEED_MAX), timeMs }
}

/** @param elapsedMs since the first was begun */
export function* seedsOf({ first, last, timeMs }: SimulateOptions, elapsedMs: () => number): Generator<number> {
  for (let seed = first; seed <= last && elapsedMs() < timeMs; seed++) yield seed
}

function number(name: string, text: string, first: number, last: number): number {
  const value = Number(text)
  if (text !== '' && Number.isInteger(value) && value >= first && value <= last) return value
  throw new Error(`${name} is a whole number from ${first} to ${last}, not "${text}"`)
}
