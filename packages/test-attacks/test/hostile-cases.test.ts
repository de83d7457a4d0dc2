import { join } from 'node:path'
import { test } from 'tap'
import { caseAt, ideas } from '../src/hostile/corpus/corpus.ts'
import type { HostileCase } from '../src/hostile/corpus/hostile-case.ts'
import { readCases, writeCases } from '../src/hostile/drive/case-file.ts'

test('a case is the same of the same seed and number, whatever was drawn before', async t => {
  const there = [0, 7, 300].map(index => caseAt(5, index))
  const back = [300, 7, 0].map(index => caseAt(5, index)).toReversed()
  t.same(there, back)
  t.notSame(caseAt(5, 300), caseAt(6, 300))
  t.notSame(caseAt(5, 300), caseAt(5, 301))
})

test('every idea comes, cases begin small, and none is too big to be sent', async t => {
  const cases = Array.from({ length: 900 }, (_, index) => caseAt(1, index))
  t.same(new Set(cases.map(({ idea }) => idea)), new Set(ideas.map(({ name }) => name)))
  const sizes = cases.map(({ request: { body, raw } }) => (body ?? raw ?? '').length)
  t.ok(Math.max(...sizes.slice(0, 40)) < 10_000)
  t.ok(Math.max(...sizes) > 1_000_000)
  t.ok(Math.max(...sizes) < 8_000_000)
})

test('a file of cases is read as it was written', async t => {
  const path = join(t.testdir(), 'cases.json')
  const cases = Array.from({ length: 120 }, (_, index) => caseAt(2, index))
  await writeCases(path, 2, cases)
  t.same((await readCases(path)).map(bytesOf), cases.map(bytesOf))
})

/** A body read from a file is bytes, whatever it was. */
function bytesOf({ request: { body, raw, ...head }, ...rest }: HostileCase) {
  const hex = (bytes: Uint8Array | string | undefined) => bytes && Buffer.from(bytes as string).toString('hex')
  return { ...rest, ...head, body: hex(body), raw: hex(raw) }
}
