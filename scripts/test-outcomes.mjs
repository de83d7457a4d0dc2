// What several runs of the tests came to.

/** Whether every run made as many assertions, and all of them held. */
export function allGreen(outcomes) {
  return outcomes.every(({ failed }) => failed === 0) && evenCounts(outcomes)
}

function evenCounts(outcomes) {
  return new Set(outcomes.map(({ passed, failed }) => passed + failed)).size <= 1
}

/**
 * @param {{ passed: number, failed: number, seconds: number, seed?: number, failures: string[] }[]} outcomes
 * @returns {string} a line for each run, then what failed and in how many of them
 */
export function outcomeLines(outcomes) {
  const rows = outcomes.map(({ passed, failed, seconds, seed }, index) => [
    String(index + 1),
    String(passed),
    String(failed),
    seconds.toFixed(0),
    ...(seed === undefined ? [] : [String(seed)])
  ])
  const seeded = outcomes.some(({ seed }) => seed !== undefined)
  const head = ['run', 'passed', 'failed', 'seconds', ...(seeded ? ['seed'] : [])]
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => (row[column] ?? '').length)))
  const table = [head, ...rows].map(row => row.map((cell, column) => cell.padStart(widths[column])).join('  '))
  const runs = new Map()
  for (const { failures } of outcomes) for (const name of new Set(failures)) runs.set(name, (runs.get(name) ?? 0) + 1)
  const failed = [...runs]
    .toSorted((a, b) => b[1] - a[1])
    .map(([name, count]) => `✗ in ${count} of ${outcomes.length} runs: ${name}`)
  const uneven = evenCounts(outcomes) ? [] : ['The runs made different numbers of assertions.']
  return `\n${[...table, ...failed, ...uneven].join('\n')}\n`
}
