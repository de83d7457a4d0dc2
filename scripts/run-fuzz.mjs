// `npm run fuzz`: reads damaged model files, templates and the like for as long as you have, with other inputs each time.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { fuzzTargets, readInput } from '../packages/model/dist/test/fuzz-targets.js'

const HELP = `npm run fuzz -- [TARGET…] [options]

  --seed N          draws the inputs from seed N (default: a new one, which is printed)
  --minutes M       ends after M minutes (default 1)
  --input PATH      reads this one input again, with the one TARGET that is named

Targets: ${fuzzTargets.map(({ name }) => name).join(', ')} (default: all, in turn)
`

/** Inputs between two looks at the clock. */
const RUNS = 50

/** @returns the first input that was neither read nor refused, as short as it gets */
async function firstFailure(target, seed) {
  const property = fc.asyncProperty(target.input, input => readInput(target, input))
  const { failed, counterexample, errorInstance } = await fc.check(property, { seed, numRuns: RUNS })
  return failed ? { input: counterexample?.[0] ?? new Uint8Array(), error: errorInstance } : undefined
}

async function keepInput(target, seed, input) {
  const directory = join(tmpdir(), 'resultity-fuzz')
  await mkdir(directory, { recursive: true })
  const path = join(directory, `${target.name}-${seed}`)
  await writeFile(path, input)
  return path
}

async function fuzz(targets, { seed, minutes }) {
  const end = Date.now() + minutes * 60_000
  const counts = new Map(targets.map(({ name }) => [name, 0]))
  for (let round = 0; Date.now() < end; round++) {
    const target = targets[round % targets.length]
    const ownSeed = seed + round
    const failure = await firstFailure(target, ownSeed)
    counts.set(target.name, counts.get(target.name) + RUNS)
    if (failure === undefined) continue
    const path = await keepInput(target, ownSeed, failure.input)
    process.stdout.write(`${target.name} failed: ${failure.error?.stack ?? failure.error}\n`)
    process.stdout.write(`seed ${ownSeed}; again: npm run fuzz -- ${target.name} --input ${path}\n`)
    return 1
  }
  process.stdout.write(
    `seed ${seed}: ${[...counts].map(([name, count]) => `${name} ${count}`).join(', ')}; no failure\n`
  )
  return 0
}

function readArguments() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      minutes: { type: 'string', default: '1' },
      input: { type: 'string' }
    }
  })
  const names = fuzzTargets.map(({ name }) => name)
  const unknown = positionals.find(name => !names.includes(name))
  const [seed, minutes] = [Number(values.seed), Number(values.minutes)]
  if (unknown !== undefined) throw new TypeError(`there is no target "${unknown}"`)
  if (!Number.isSafeInteger(seed)) throw new TypeError('--seed takes a whole number')
  if (!(minutes > 0)) throw new TypeError('--minutes takes a number above 0')
  if (values.input !== undefined && positionals.length !== 1) throw new TypeError('--input goes with one target')
  const targets = fuzzTargets.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  return { help: values.help ?? false, input: values.input, seed, minutes, targets }
}

async function main() {
  let given
  try {
    given = readArguments()
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`)
    return 2
  }
  const { help, input, targets, ...init } = given
  if (help) process.stdout.write(HELP)
  if (help) return 0
  if (input === undefined) return fuzz(targets, init)
  await readInput(targets[0], await readFile(input))
  process.stdout.write('it is read, or refused as it should be\n')
  return 0
}

process.exit(await main())
