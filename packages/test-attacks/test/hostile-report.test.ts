import { test } from 'tap'
import type { HostileCase } from '../src/hostile/corpus/hostile-case.ts'
import { missedAims, missedTimes } from '../src/hostile/drive/aims.ts'
import type { HostileReport } from '../src/hostile/drive/hostile-run.ts'
import { faultsOf } from '../src/hostile/drive/judge.ts'
import { latencies } from '../src/hostile/drive/latencies.ts'
import { summarise } from '../src/hostile/drive/process-watch.ts'
import type { Outcome } from '../src/hostile/drive/send-case.ts'

const MIB = 1024 * 1024

function sent(path = '/v1/chat/completions', method = 'POST'): HostileCase {
  return { idea: 'x', manner: { kind: 'plain' }, request: { method, path, headers: [] } }
}

function answered(status: number, body: unknown): Outcome {
  return { kind: 'answered', status, headers: {}, text: typeof body === 'string' ? body : JSON.stringify(body) }
}

const error = { message: '"n": is wrong', type: 'invalid_request_error', param: 'n', code: 'invalid_request' }

test('what is no fault', async t => {
  t.same(faultsOf(sent(), answered(200, {})), [])
  t.same(faultsOf(sent(), answered(400, { error })), [])
  t.same(faultsOf(sent(), answered(503, { error })), [])
  t.same(faultsOf(sent('/v1/moderations'), answered(501, { error })), [])
  t.same(faultsOf(sent('/v1/models', 'HEAD'), answered(404, '')), [], 'no body, no error in it')
  t.same(faultsOf(sent(), { kind: 'gone', reason: 'wanted' }), [])
})

test('what is a fault', async t => {
  const cases: readonly (readonly [id: string, outcome: Outcome, faults: readonly RegExp[]])[] = [
    ['a 500', answered(500, { error: { ...error, code: 'internal' } }), [/internal/, /status 500/]],
    ['a 502', answered(502, { error }), [/status 502/]],
    ['a 501 of what is served', answered(501, { error }), [/status 501/]],
    ['no body', answered(417, ''), [/without a typed body/]],
    ['a page', answered(404, '<html>'), [/without a typed body/]],
    ['no code', answered(400, { error: { ...error, code: null } }), [/without a code/]],
    ['a field that only the message names', answered(400, { error: { ...error, param: null } }), [/names "n"/]],
    ['a stream that breaks off', answered(200, 'data: {"error":{"code":"internal"}}'), [/internal/]],
    ['a request of a batch', answered(200, '{"response":{"status_code":500}}'), [/a request of a batch/]]
  ]
  for (const [id, outcome, faults] of cases) {
    const found = faultsOf(sent(), outcome)
    t.equal(found.length, faults.length, id)
    for (const [at, pattern] of faults.entries()) t.match(found[at], pattern, id)
  }
})

test('a probe that waited counts for those that it kept from being sent', async t => {
  t.match(latencies([1, 2, 3], 50), { probes: 3, p50Ms: 2, p99Ms: 3, maxMs: 3 })
  // those of 200, 150, 100 and 50 ms before its answer were due
  t.match(latencies([1, 1, 1, 1, 200], 50), { probes: 5, p50Ms: 1, p99Ms: 200 })
  t.ok(latencies([...Array<number>(50).fill(1), 5_000], 50).p50Ms > 1_000, 'a stall of five seconds is no single probe')
})

test('growth is that of the second half', async t => {
  const sample = (atMs: number, mib: number, openFiles = 30) => ({ atMs, residentBytes: mib * MIB, openFiles })
  const rising = Array.from({ length: 20 }, (_, at) => sample(at * 1_000, 100 + at))
  t.match(summarise('a', false, rising), { startBytes: 100 * MIB, middleBytes: 110 * MIB, peakBytes: 119 * MIB })
  t.ok(Math.abs(summarise('a', false, rising).growthBytesPerHour / (3600 * MIB) - 1) < 1e-9)
  const flat = Array.from({ length: 20 }, (_, at) => sample(at * 1_000, at < 10 ? at * 50 : 500))
  t.equal(summarise('a', false, flat).growthBytesPerHour, 0)
  t.match(summarise('a', true, []), { died: true, startBytes: 0, growthBytesPerHour: 0 })
})

test('every aim can be missed', async t => {
  const quiet = { probes: 9, p50Ms: 1, p99Ms: 9, maxMs: 20 }
  const process = {
    ...summarise('node-1', false, []),
    middleBytes: 200 * MIB,
    endBytes: 201 * MIB,
    openFilesAtStart: 30
  }
  const good: HostileReport = {
    seed: 1,
    cases: 10,
    seconds: 1,
    outcomes: {},
    faults: [],
    late: [],
    ownFailures: [],
    honest: { right: 5, refused: 1, faults: [] },
    probe: { latencies: { coordinator: quiet }, failures: [] },
    stalls: [],
    nodesLeft: [],
    processes: [process],
    leftovers: { jobsRunning: 0, jobsQueued: 0, sessionsOpen: 0, requestsWaiting: 0, slotsTaken: 0 },
    loggedErrors: {},
    dataBytes: 1
  }
  t.same([...missedAims(good), ...missedTimes(good)], [])
  const bad: readonly Partial<HostileReport>[] = [
    { faults: [{ index: 3, idea: 'x', what: 'status 500' }] },
    { ownFailures: ['req_1'] },
    { honest: { right: 5, refused: 0, faults: ['another answer'] } },
    { honest: { right: 0, refused: 9, faults: [] } },
    { nodesLeft: ['12D'] },
    { probe: { latencies: {}, failures: ['node-1: no pong'] } },
    { leftovers: { ...good.leftovers, slotsTaken: 1 } },
    { processes: [{ ...process, died: true }] },
    { processes: [{ ...process, peakBytes: 2048 * MIB }] },
    { processes: [{ ...process, openFilesAtEnd: 60 }] },
    { probe: { latencies: { coordinator: { ...quiet, p99Ms: 51 } }, failures: [] } },
    { processes: [{ ...process, endBytes: 300 * MIB }] }
  ]
  for (const change of bad) {
    const report = { ...good, ...change }
    t.equal([...missedAims(report), ...missedTimes(report)].length, 1, JSON.stringify(change))
  }
})
