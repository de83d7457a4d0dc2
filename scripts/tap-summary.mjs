#!/usr/bin/env node
// A reporter for tap: one line a file, every failure with its place and difference, and a plain last line,
// "N passed, N failed". Counts assertions, not files; a file that crashed or timed out is one failure more.
import { Parser } from 'tap-parser'
import { GROUP } from './test-groups.mjs'

const DIAGNOSTIC_LINES_MAX = 60

/** Names of what failed, for whoever started this with a channel. */
const failures = []
const files = new Map()
const root = new Parser()

const total = watchFiles(root)
root.on('bailout', reason => fail({ name: `bailed out: ${reason}` }, total, []))
root.on('complete', results => {
  // nothing ran, or the stream broke off: that is not a pass
  if (total.passed + total.failed === 0 || (!results.ok && total.failed === 0)) total.failed += 1
  if (total.skipped > 0) process.stdout.write(`${total.skipped} skipped or to do\n`)
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
  process.exitCode = total.failed === 0 ? 0 : 1
  process.send?.({ passed: total.passed, failed: total.failed, failures }, () => process.disconnect())
})
process.stdin.pipe(root)

/** Prints a line for each file of `parser`, also for those of its groups. @returns what they come to, so far */
function watchFiles(parser) {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  const groups = new Map()
  parser.on('child', child => {
    if (child.name.startsWith(GROUP)) groups.set(child.name, watchFiles(child))
    else files.set(child.name, watch(child, [child.name]))
  })
  parser.on('assert', point => {
    const group = groups.get(point.name)
    const counts = group ?? files.get(point.name) ?? { passed: 0, failed: 0, skipped: 0 }
    // a file or group that fails though no assertion of it did: it crashed, was killed or broke its plan
    if (isFailure(point) && counts.failed === 0) fail(point, counts, [])
    if (group === undefined) printFile(point, counts)
    add(sum, counts)
  })
  return sum
}

/** Counts the assertions of `parser` and of its subtests; a subtest's own closing line repeats them and is left out. */
function watch(parser, path) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  let open
  parser.on('child', child => {
    open = { name: child.name, counts: watch(child, [...path, child.name]) }
  })
  parser.on('assert', point => {
    const subtest = open?.name === point.name ? open : undefined
    if (subtest !== undefined) {
      open = undefined
      add(counts, subtest.counts)
      if (!isFailure(point) || subtest.counts.failed > 0) return
    }
    if (isFailure(point)) fail(point, counts, path)
    else count(point, counts)
  })
  return counts
}

function add(sum, counts) {
  for (const key of Object.keys(sum)) sum[key] += counts[key]
}

function isFailure(point) {
  return !point.ok && !point.todo && !point.skip
}

function count(point, counts) {
  if (point.skip || point.todo) counts.skipped += 1
  else counts.passed += 1
}

function fail(point, counts, path) {
  counts.failed += 1
  const name = [...path, point.name].filter(Boolean).join(' › ')
  failures.push(name)
  process.stdout.write(`\n✗ ${name}\n${describe(point.diag)}\n`)
}

function describe(diag) {
  if (diag === undefined || diag === null) return ''
  const { diff, at, stack, source, ...rest } = diag
  const place = at === undefined ? [] : [`at ${at.fileName}:${at.lineNumber}:${at.columnNumber}`]
  const facts = Object.entries(rest).map(
    ([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`
  )
  return [
    ...place,
    ...(source ? [source.trimEnd()] : []),
    ...(diff ? [diff.trimEnd()] : []),
    ...facts,
    ...(stack ? [stack.trimEnd()] : [])
  ]
    .flatMap(text => text.split('\n'))
    .slice(0, DIAGNOSTIC_LINES_MAX)
    .map(line => `    ${line}`)
    .join('\n')
}

function printFile({ name, time }, counts) {
  if (!files.has(name)) return
  const mark = counts.failed === 0 ? '✓' : '✗'
  const failed = counts.failed > 0 ? `, ${counts.failed} failed` : ''
  const seconds = time === null || time === undefined ? '' : `, ${(time / 1000).toFixed(1)} s`
  process.stdout.write(`${mark} ${name} (${counts.passed} passed${failed}${seconds})\n`)
}
