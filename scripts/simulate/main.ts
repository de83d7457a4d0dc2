import { parseArgs } from 'node:util'
import { type SimulationReport, simulate } from '@resultity/simulation'
import { type SimulateOptions, seedsOf, toOptions } from './options.ts'

const usage = `Usage: npm run simulate -- [--seed N | --seeds A-B | --minutes M] [options]

Runs a coordinator and nodes in one process and virtual time. Everything follows from the seed: who asks what, how long
each link and each run takes, which connections are dropped, cut or stalled, which nodes crash, hang or slow down, whose
clocks jump. It ends with 1 at the first seed with which something happens that must never happen, and shows its last
events; the same seed does it again.

  --seed N        one seed
  --seeds A-B     those from A to B (default: 1-100)
  --minutes M     seed after seed for so long, from one that nobody chose, or from --from
  --from N        the first seed of --minutes
  --nodes N       nodes (default: drawn from the seed)
  --seconds N     virtual seconds in which things go wrong (default: 40)
  --events N      last events to show, of a seed that fails, or of --seed (default: 60)
`

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  process.exitCode = 2
}

async function main(argv: readonly string[]): Promise<number> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...argv],
    options: {
      help: { type: 'boolean', short: 'h' },
      seed: text,
      seeds: text,
      minutes: text,
      from: text,
      nodes: text,
      seconds: text,
      events: text
    }
  })
  if (values.help === true) {
    process.stdout.write(usage)
    return 0
  }
  return await runSeeds(toOptions(values))
}

async function runSeeds(options: SimulateOptions): Promise<number> {
  const { init, events } = options
  const begun = performance.now()
  let count = 0
  for (const seed of seedsOf(options, () => performance.now() - begun)) {
    const report = await simulate({ ...init, seed })
    count++
    const failed = report.violation !== undefined
    if (failed || options.alone) show(report, events)
    else process.stdout.write(`${summary(report)}\n`)
    if (failed) return 1
  }
  process.stdout.write(`${count} seeds in ${Math.round((performance.now() - begun) / 1000)} s, nothing went wrong\n`)
  return 0
}

function summary({
  seed,
  nodeCount,
  requests,
  resumed,
  takenOver,
  reused,
  faults,
  elapsedMs,
  digest
}: SimulationReport): string {
  const { answered, failed, abandoned } = requests
  const ends = `${answered} answered (${resumed} after a crash, ${takenOver} tokens taken over, ${reused} with kept prompts), ${failed} failed, ${abandoned} abandoned`
  return `seed ${seed}: ${nodeCount} nodes, ${faults} faults, ${ends}, ${Math.round(elapsedMs / 1000)} s, trace ${digest.slice(0, 12)}`
}

function show(report: SimulationReport, events: number): void {
  const { violation, seed } = report
  for (const event of report.events.slice(-events)) process.stdout.write(`${event}\n`)
  process.stdout.write(`${summary(report)}\n`)
  if (violation === undefined) return
  process.stdout.write(`\n${violation.stack ?? violation.message}\n`)
  if (violation.cause instanceof Error) process.stdout.write(`${violation.cause.stack ?? violation.cause.message}\n`)
  process.stdout.write(
    `\nSeed ${seed} does it again: npm run simulate -- --seed ${seed}, with the same other options\n`
  )
}
