import fc from 'fast-check'
import t from 'tap'
import { assertProperty, DEFAULT_SEED, SEED_MAX, SEED_VARIABLE, seedFrom, testSeed } from '../src/index.ts'

function drawn(numRuns?: number): number[] {
  const values: number[] = []
  const property = fc.property(fc.nat(), value => {
    values.push(value)
  })
  assertProperty(property, numRuns === undefined ? {} : { numRuns })
  return values
}

/** Runs `body` under a seed of its own. */
function withSeed<T>(seed: string | undefined, body: () => T): T {
  const before = process.env[SEED_VARIABLE]
  if (seed === undefined) delete process.env[SEED_VARIABLE]
  else process.env[SEED_VARIABLE] = seed
  try {
    return body()
  } finally {
    if (before === undefined) delete process.env[SEED_VARIABLE]
    else process.env[SEED_VARIABLE] = before
  }
}

t.test('a seed draws the same cases each time, another seed others, and as many as are asked for', async t => {
  const fixed = withSeed(undefined, () => drawn())
  t.equal(fixed.length, 100)
  t.same(
    withSeed(undefined, () => drawn()),
    fixed
  )
  t.same(
    withSeed(String(DEFAULT_SEED), () => drawn()),
    fixed
  )
  t.notSame(
    withSeed('7', () => drawn()),
    fixed
  )
  t.equal(withSeed('7', () => drawn(3)).length, 3)
})

t.test('a failure names the seed and the smallest case', async t => {
  const wrong = { message: /seed 7 FILE[\s\S]*Counterexample: \[10\]/, cause: Error }
  withSeed('7', () =>
    t.throws(
      () =>
        assertProperty(
          fc.property(fc.nat(), value => value < 10),
          { numRuns: 200 }
        ),
      wrong
    )
  )
  const later = withSeed('7', () => assertProperty(fc.asyncProperty(fc.nat(), async value => value < 10)))
  await t.rejects(later, wrong)
  const thrown = fc.property(fc.nat(), () => {
    throw new Error('the reason')
  })
  t.throws(() => assertProperty(thrown), /the reason/)
})

t.test('what is no seed is refused', async t => {
  for (const text of ['-1', '1.5', 'x', ' 1', '1e3', String(SEED_MAX + 1)]) t.throws(() => seedFrom(text), RangeError)
  t.equal(seedFrom(''), DEFAULT_SEED)
  t.equal(seedFrom('0'), 0)
  t.equal(
    withSeed('12', () => testSeed()),
    12
  )
})
