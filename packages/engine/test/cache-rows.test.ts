import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { CacheRows, type ClaimedRow, KeptPrefix, PREFIX_KEPT_MS, type PrefixInit } from '../src/index.ts'

const BLOCK = 4

function wantedOf(scope: string, blocks: string): PrefixInit {
  return { scope, blockPositions: BLOCK, blocks: [...blocks].map((_, at) => blocks.slice(0, at + 1)), reuse: true }
}

/** A prefix of which all blocks have been computed. */
function computed(scope: string, blocks: string): KeptPrefix {
  const prefix = new KeptPrefix(wantedOf(scope, blocks))
  for (const at of blocks.split('').keys()) prefix.ran(at * BLOCK, BLOCK)
  return prefix
}

t.test('only runs of whole blocks in their places count', t => {
  const prefix = new KeptPrefix(wantedOf('a', 'xyz'))
  t.equal(prefix.settled, false)
  prefix.ran(0, BLOCK)
  t.equal(prefix.settled, true)
  t.equal(prefix.positions(), BLOCK)
  prefix.ran(BLOCK, BLOCK - 1)
  prefix.ran(2 * BLOCK - 1, 1)
  prefix.ran(2 * BLOCK, BLOCK)
  t.equal(prefix.count, 1, 'the second was computed in parts, and the third lies behind it')
  prefix.truncated(BLOCK)
  t.equal(prefix.count, 1)
  prefix.ran(BLOCK, BLOCK)
  prefix.ran(2 * BLOCK, BLOCK)
  prefix.ran(3 * BLOCK, BLOCK)
  t.equal(prefix.count, 3, 'no more than have names')
  prefix.truncated(2 * BLOCK + 1)
  t.equal(prefix.count, 2)
  t.equal(prefix.inCommon(wantedOf('a', 'xyz')), 2)
  t.equal(prefix.inCommon(wantedOf('a', 'xz')), 1)
  t.equal(prefix.inCommon(wantedOf('b', 'xyz')), 0)
  t.equal(prefix.inCommon({ ...wantedOf('a', 'xyz'), blockPositions: 2 * BLOCK }), 0)
  t.end()
})

t.test('what was left is taken over, copied, forgotten, and too old at last', t => {
  let nowMs = 0
  const rows = new CacheRows(3, () => nowMs)
  t.equal(rows.take(), 0)
  rows.release(0, computed('a', 'xyz'))
  t.equal(rows.left, 1)
  t.equal(rows.claim(wantedOf('b', 'xyz')), undefined)
  const branch = rows.claim(wantedOf('a', 'xw'))
  t.match(branch, { row: 1, copyFrom: 0 }, 'the other branch stays')
  t.match(rows.claim(wantedOf('a', 'xyzw')), { row: 2, copyFrom: 0 }, 'it is being copied from')
  rows.unpin(0)
  rows.unpin(0)
  rows.release(2)
  t.match(rows.claim(wantedOf('a', 'xyzw')), { row: 0, copyFrom: undefined })
  rows.release(0, computed('a', 'xyz'))
  rows.forget('a')
  t.equal(rows.claim(wantedOf('a', 'xyz')), undefined)
  rows.take()
  rows.release(0, computed('a', 'xyz'))
  nowMs = PREFIX_KEPT_MS
  t.match(rows.claim(wantedOf('a', 'xyz')), { row: 0 })
  rows.release(0, computed('a', 'xyz'))
  nowMs += PREFIX_KEPT_MS + 1
  t.equal(rows.claim(wantedOf('a', 'xyz')), undefined)
  t.equal(rows.left, 0)
  t.end()
})

const ROWS = 3

/** Sessions that come, run and go, with what would be in each row of a real cache. */
class Cache {
  readonly #rows = new CacheRows(ROWS, () => 0)
  readonly #contents: string[] = Array.from({ length: ROWS }, () => '')
  readonly #open: Open[] = []

  open(scope: string, blocks: string): void {
    if (this.#open.length === ROWS) return
    const wanted = wantedOf(scope, blocks)
    const claimed = this.#rows.claim(wanted)
    const session: Open = { wanted, claimed, prefix: claimed?.prefix ?? new KeptPrefix(wanted), row: undefined }
    this.#open.push(session)
  }

  /** The next run of a session: of a block while there are some, then of something else. */
  run(index: number): void {
    const session = this.#open[index % this.#open.length]
    if (session === undefined) return
    const { wanted, prefix } = session
    session.row ??= this.#begin(session)
    const { count } = prefix
    const content = this.#contents[session.row] ?? ''
    if (content.slice(0, count) !== named(wanted, count)) throw new Error(`${content} is not ${named(wanted, count)}`)
    const next = wanted.blocks[count]
    const written = next === undefined ? `${named(wanted, count)}?` : named(wanted, count + 1)
    this.#contents[session.row] = written
    prefix.ran(prefix.positions(), next === undefined ? 1 : BLOCK)
  }

  /** A session begins with less than it has found. */
  truncate(index: number): void {
    const session = this.#open[index % this.#open.length]
    if (session?.row === undefined) session?.prefix.truncated(prefixEnd(session) - BLOCK)
  }

  end(index: number, leaves: boolean): void {
    const [session] = this.#open.splice(index % Math.max(1, this.#open.length), 1)
    if (session === undefined) return
    const { row, claimed, prefix } = session
    if (row !== undefined) this.#rows.release(row, leaves ? prefix : undefined)
    if (row !== undefined || claimed === undefined) return
    if (claimed.copyFrom !== undefined) this.#rows.unpin(claimed.copyFrom)
    this.#rows.release(claimed.row, claimed.copyFrom === undefined ? prefix : undefined)
  }

  #begin(session: Open): number {
    if (session.claimed !== undefined) return this.#fill(session, session.claimed)
    let row = this.#rows.take(session.prefix)
    if (row === undefined) {
      for (const one of this.#open) if (one.claimed !== undefined) one.row ??= this.#fill(one, one.claimed)
      row = this.#rows.take(session.prefix)
    }
    if (row === undefined) throw new Error('there was no row for a session')
    return row
  }

  #fill({ prefix }: Open, { row, copyFrom }: ClaimedRow): number {
    if (copyFrom === undefined) return row
    this.#contents[row] = (this.#contents[copyFrom] ?? '').slice(0, prefix.count)
    this.#rows.unpin(copyFrom)
    return row
  }
}

interface Open {
  readonly wanted: PrefixInit
  readonly claimed: ClaimedRow | undefined
  readonly prefix: KeptPrefix
  row: number | undefined
}

/** What the first blocks leave in a row: one letter each, the scope's own. */
function named({ scope, blocks }: PrefixInit, count: number): string {
  const text = blocks[count - 1] ?? ''
  return scope === 'a' ? text : text.toUpperCase()
}

function prefixEnd({ prefix }: Open): number {
  return Math.max(BLOCK, prefix.positions())
}

t.test('whatever sessions do, each finds what it was promised, and has a row', t => {
  const index = fc.nat({ max: ROWS - 1 })
  const blocks = fc.string({ unit: fc.constantFrom('x', 'x', 'x', 'y'), minLength: 0, maxLength: 4 })
  const act = fc.oneof(
    fc.record({ type: fc.constant('open'), scope: fc.constantFrom('a', 'a', 'a', 'b'), blocks }),
    fc.record({ type: fc.constantFrom('run', 'run', 'run', 'truncate', 'leave', 'leave', 'end'), index })
  )
  assertProperty(
    fc.property(fc.array(act, { minLength: 20, maxLength: 80, size: 'max' }), acts => {
      const cache = new Cache()
      for (const one of acts) {
        if ('scope' in one) cache.open(one.scope, one.blocks)
        else if (one.type === 'run') cache.run(one.index)
        else if (one.type === 'truncate') cache.truncate(one.index)
        else cache.end(one.index, one.type === 'leave')
      }
    }),
    { numRuns: 2000 }
  )
  t.end()
})
