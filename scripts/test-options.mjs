// The options of `npm test`.
import { parseArgs } from 'node:util'

export const HELP = `npm test -- [options] [compiled test files]

  --seed N          draws the cases of property tests from seed N (default: a fixed one)
  --fresh-seeds     draws them from a new seed, which is printed
  --under-load N    runs beside busy processes, for a load of about N
  --runs K          runs everything K times, and shows which run failed where
  --bail            stops at the first failure
  --snapshot        writes snapshots anew
`

const SEED_MAX = 2 ** 31 - 1
const LOAD_MAX = 256
const RUNS_MAX = 1000

/** The command line is wrong; the message is for the user. */
export class UsageError extends Error {}

/**
 * Reads the arguments of `npm test`.
 *
 * @param {string[]} args
 * @returns {{ help: boolean, seed?: number, freshSeeds: boolean, underLoad?: number, runs: number, forwarded: string[] }}
 *   `forwarded`: what run-tests.mjs gets
 * @throws UsageError that names the option
 */
export function readOptions(args) {
  const { values, positionals } = parsed(args)
  const seed = wholeNumber('seed', values.seed, 0, SEED_MAX)
  const freshSeeds = values['fresh-seeds'] ?? false
  if (seed !== undefined && freshSeeds) throw new UsageError('--seed and --fresh-seeds exclude each other')
  return {
    help: values.help ?? false,
    seed,
    freshSeeds,
    underLoad: wholeNumber('under-load', values['under-load'], 1, LOAD_MAX),
    runs: wholeNumber('runs', values.runs, 1, RUNS_MAX) ?? 1,
    forwarded: [...(values.bail ? ['--bail'] : []), ...(values.snapshot ? ['--snapshot'] : []), ...positionals]
  }
}

function parsed(args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: 'boolean' },
        seed: { type: 'string' },
        'fresh-seeds': { type: 'boolean' },
        'under-load': { type: 'string' },
        runs: { type: 'string' },
        bail: { type: 'boolean' },
        snapshot: { type: 'boolean' }
      }
    })
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${HELP}`)
  }
}

function wholeNumber(name, text, min, max) {
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new UsageError(`--${name} takes a whole number from ${min} to ${max}, and was given ${JSON.stringify(text)}`)
}
