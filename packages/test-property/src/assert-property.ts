import fc, { type IAsyncProperty, type IProperty, type IRawProperty } from 'fast-check'
import { testSeed } from './seed.ts'

/** How often fast-check draws a case, unless a property says otherwise. */
const DEFAULT_RUNS = 100

export interface PropertyRuns {
  /** Cases to draw. Default 100. */
  readonly numRuns?: number
}

/**
 * Holds a property to `numRuns` cases, drawn from {@link testSeed}: the same ones in every run with the same seed. A
 * failure is shrunk, and its message names the seed and what to call to see it again.
 *
 * @returns a promise for an asynchronous property; await it
 * @throws Error with the smallest case that was found, when one fails; the promise rejects with it
 */
export function assertProperty<T>(property: IProperty<T>, runs?: PropertyRuns): void
export function assertProperty<T>(property: IAsyncProperty<T>, runs?: PropertyRuns): Promise<void>
export function assertProperty<T>(property: IRawProperty<T>, runs: PropertyRuns = {}): Promise<void> | void {
  const { numRuns = DEFAULT_RUNS } = runs
  const seed = testSeed()
  try {
    const checked = fc.assert(property, { seed, numRuns, includeErrorInReport: true })
    return checked?.catch((error: unknown) => fail(error, seed))
  } catch (error) {
    fail(error, seed)
  }
}

function fail(error: unknown, seed: number): never {
  const message = error instanceof Error ? error.message : String(error)
  throw new Error(`With seed ${seed}; see it again by npm test -- --seed ${seed} FILE\n${message}`, { cause: error })
}
