/** What every run draws from unless told otherwise. Any number would do. */
export const DEFAULT_SEED = 20_260_131

/** The largest seed: fast-check keeps 32 bits of it. */
export const SEED_MAX = 0x7fff_ffff

/** The variable in which `npm test -- --seed N` and `--fresh-seeds` hand the seed to every test file. */
export const SEED_VARIABLE = 'RESULTITY_TEST_SEED'

/**
 * Reads a seed as {@link SEED_VARIABLE} has it.
 *
 * @param text undefined or empty for {@link DEFAULT_SEED}
 * @throws RangeError when it is no whole number from 0 to {@link SEED_MAX}
 */
export function seedFrom(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_SEED
  const seed = Number(text)
  if (/^\d+$/.test(text) && seed <= SEED_MAX) return seed
  throw new RangeError(`${SEED_VARIABLE}=${text} is no seed: give a whole number from 0 to ${SEED_MAX}`)
}

/** The seed of this run of the tests, from 0 to {@link SEED_MAX}. */
export function testSeed(): number {
  return seedFrom(process.env[SEED_VARIABLE])
}
