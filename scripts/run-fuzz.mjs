// `npm run fuzz -- [TARGET…] --seed N --minutes M`, or `npm run fuzz -- TARGET --input PATH` for one input again: reads damaged
// model files, templates and the like for as long as you have, with other inputs each time. Targets: packages/model/test.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { fuzzTargets, readInput } from '../packages/model/dist/test/fuzz-targets.js'

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

async function main() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      minutes: { type: 'string', default: '1' },
      input: { type: 'string' }
    }
  })
  const targets = fuzzTargets.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const known = fuzzTargets.map(({ name }) => name).join(', ')
  const [target] = targets
  if (target === undefined || targets.length < positionals.length) {
    process.stderr.write(`targets are ${known}\n`)
    return 1
  }
  if (values.input !== undefined) {
    await readInput(target, await readFile(values.input))
    process.stdout.write('it is read, or refused as it should be\n')
    return 0
  }
  return fuzz(targets, { seed: Number(values.seed), minutes: Number(values.minutes) })
}

process.exit(await main())
