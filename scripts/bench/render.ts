import Table from 'cli-table3'
import type { ApiReport } from './api.ts'
import type { CallersReport } from './callers.ts'
import type { FairnessReport } from './fairness.ts'
import type { GrammarReport } from './grammar.ts'
import type { PrefixReport } from './prefix.ts'
import type { SplitReport } from './split.ts'
import type { StoreReport } from './store.ts'

const MIB = 1024 * 1024

/** The report as tables for a terminal. */
export function renderSplit(report: SplitReport): string {
  const speeds = new Table({
    head: ['', 'prefill tok/s', 'decode tok/s', 'min–max', 'of engine', 'first token ms', 'µs/hop'],
    style: { head: [], border: [] }
  })
  for (const result of report.results) {
    speeds.push([
      result.name,
      result.prefill.toFixed(1),
      result.decode.toFixed(2),
      result.decodeRange.map(value => value.toFixed(1)).join('–'),
      result.decodeRatio.toFixed(3),
      result.firstToken.toFixed(1),
      result.hopMicroseconds?.toFixed(0) ?? ''
    ])
  }
  const memory = new Table({
    head: ['process', 'resident MiB', 'weights MiB', 'beside them MiB'],
    style: { head: [], border: [] }
  })
  for (const { name, residentBytes, weightBytes } of report.memory) {
    memory.push([
      name,
      ...[residentBytes, weightBytes, residentBytes - weightBytes].map(bytes => (bytes / MIB).toFixed(0))
    ])
  }
  const contexts = report.decodeByContext.map(({ position, decode }) => `${decode.toFixed(2)} tok/s at ${position}`)
  return [
    `${report.model}: prompt ${report.workload.promptTokens}, ${report.workload.decodeTokens} tokens, ${report.threads} threads, medians of ${report.rounds} rounds`,
    speeds.toString(),
    `bytes per token per hop: ${report.bytesPerTokenPerHop}`,
    `decode by context: ${contexts.join(', ') || 'not measured'}`,
    memory.toString(),
    ''
  ].join('\n')
}

export function renderCallers(report: CallersReport): string {
  const table = new Table({
    head: ['', 'callers', 'tok/s', 'min–max', 'gap ms, p50', 'p95', 'first token ms, p50'],
    style: { head: [], border: [] }
  })
  for (const result of report.results) {
    const { gapP50Ms, gapP95Ms, firstTokenP50Ms } = result
    table.push([
      result.name,
      result.callers,
      result.tokensPerSecond.toFixed(1),
      result.range.map(value => value.toFixed(0)).join('–'),
      ...[gapP50Ms, gapP95Ms, firstTokenP50Ms].map(value => value.toFixed(1))
    ])
  }
  const load = report.load.map(value => value.toFixed(1)).join(' to ')
  return [
    `${report.model}: ${report.answerTokens} tokens a caller, ${report.threads} threads, medians of ${report.rounds} rounds, load ${load}`,
    table.toString(),
    ''
  ].join('\n')
}

export function renderPrefix(report: PrefixReport): string {
  const table = new Table({
    head: ['', 'prompt tokens', 'kept', 'first token ms, cold', 'warm', 'warm / cold'],
    style: { head: [], border: [] }
  })
  for (const { name, promptTokens, cachedTokens, coldMs, warmMs, ratio } of report.results) {
    table.push([name, promptTokens, cachedTokens, coldMs.toFixed(0), warmMs.toFixed(0), ratio.toFixed(3)])
  }
  const load = report.load.map(value => value.toFixed(1)).join(' to ')
  return [
    `${report.model}: the second turn of a conversation, ${report.threads} threads, medians of ${report.rounds} rounds, load ${load}`,
    table.toString(),
    ''
  ].join('\n')
}

export function renderStore(report: StoreReport): string {
  const table = new Table({
    head: ['', 'jobs/s', 'through the queue', 'events/s', 'in packs of 8', 'append p50 ms', 'p99 ms', 'claim p50 ms'],
    style: { head: [], border: [] }
  })
  for (const result of report.results) {
    const { jobs, queuedJobs, events, packedEvents, appendP50Ms, appendP99Ms, claimP50Ms } = result
    table.push([
      result.name,
      ...[jobs, queuedJobs, events, packedEvents].map(value => value.toFixed(0)),
      ...[appendP50Ms, appendP99Ms, claimP50Ms].map(value => value.toFixed(2))
    ])
  }
  return `${report.concurrency} at once, ${report.seconds} s each\n${table.toString()}\n`
}

/** The report as a table for a terminal. */
export function renderApi({ store, requests, alone, streams, residentBytes }: ApiReport): string {
  const table = new Table({ head: ['', store], style: { head: [], border: [] } })
  table.push(
    ['requests a second', requests.perSecond.toFixed(0)],
    ['ms each, p50 / p99', `${requests.p50Ms} / ${requests.p99Ms}`],
    ['ms alone, p50 / p99', `${alone.p50Ms} / ${alone.p99Ms}`],
    ['streams open', streams.open],
    ['events a second', streams.eventsPerSecond.toFixed(0)],
    ['event delay ms, p50 / p99', `${streams.p50Ms.toFixed(1)} / ${streams.p99Ms.toFixed(1)}`],
    ['resident MiB, idle / streaming', `${toMib(residentBytes.idle)} / ${toMib(residentBytes.streaming)}`],
    ['failed', requests.failed + streams.failed]
  )
  return `${table.toString()}\n`
}

/** The report as a table for a terminal. */
export function renderFairness(report: FairnessReport): string {
  const { alone, withBatch, ratio, batch } = report
  const table = new Table({ head: ['', 'alone', 'beside the batch', 'ratio'], style: { head: [], border: [] } })
  table.push(
    ['first token ms, p50', alone.p50Ms.toFixed(0), withBatch.p50Ms.toFixed(0), ratio.p50.toFixed(2)],
    ['first token ms, p95', alone.p95Ms.toFixed(0), withBatch.p95Ms.toFixed(0), ratio.p95.toFixed(2)],
    ['requests (failed)', `${alone.requests} (${alone.failed})`, `${withBatch.requests} (${withBatch.failed})`, ''],
    ['lines a second', batch.linesPerSecondAlone.toFixed(1), batch.linesPerSecondShared.toFixed(1), '']
  )
  const rounds = report.roundsP95Ms.map(([before, beside]) => `${before.toFixed(0)}/${beside.toFixed(0)}`)
  return [
    `${report.model} in ${report.stages} stages, ${report.threads} threads each, ${report.ratePerSecond} requests a second`,
    table.toString(),
    `p95 of each round, alone/beside: ${rounds.join(', ')}`,
    `${batch.completed} lines answered, ${batch.failed} failed, of ${report.rounds} batches of ${report.lines}`,
    ''
  ].join('\n')
}

function toMib(bytes: number): string {
  return (bytes / MIB).toFixed(0)
}

export function renderGrammar({ groups, vocabularySize, rounds }: GrammarReport): string {
  const table = new Table({
    head: ['', 'schemas', 'compiled', 'compile ms', 'slowest', 'tokens', 'new token ms', 'p99', 'known token ms'],
    style: { head: [], border: [] }
  })
  for (const group of groups) {
    const { name, schemas, compiled, tokens } = group
    const times = [group.newTokenMs, group.newTokenMsP99, group.knownTokenMs].map(value => value.toFixed(3))
    const compile = [group.compileMsMedian, group.compileMsSlowest].map(value => value.toFixed(2))
    table.push([name, schemas, compiled, ...compile, tokens, ...times])
  }
  const tooMuch = groups.flatMap(group => group.tooMuch)
  return [
    `a vocabulary of ${vocabularySize} tokens, medians of ${rounds} rounds`,
    table.toString(),
    tooMuch.length === 0 ? 'none was too much work' : `too much work: ${tooMuch.join('; ')}`,
    ''
  ].join('\n')
}
