import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { applyRules } from '../src/logit-rules.ts'
import { drawn } from '../src/token-choice.ts'
import { at, config } from './support/scripted-speech.ts'

const { firstTimestamp, endOfText } = config.tokens
const VOCABULARY = config.vocabularySize

/** The tokens that may follow `written` where the model prefers text, as hers are all alike otherwise. */
function allowed(written: readonly number[], liked: readonly number[] = [0]): number[] {
  const logits = new Float32Array(VOCABULARY).fill(0)
  for (const token of liked) logits[token] = 10
  applyRules(logits, written, config)
  return [...logits.entries()].flatMap(([token, logit]) => (logit > Number.NEGATIVE_INFINITY ? [token] : []))
}
const timestamps = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

t.test('a window begins with a timestamp, one second in at the latest', async t => {
  t.strictSame(allowed([]), timestamps(at(0), at(1)))
})

t.test('behind an opening timestamp comes text, or the end', async t => {
  const tokens = allowed([at(0.5)])
  t.ok(tokens.includes(0) && tokens.includes(endOfText))
  t.ok(tokens.every(token => token < firstTimestamp))
})

t.test('behind a closing timestamp comes another, not earlier, or the end', async t => {
  t.strictSame(
    allowed([at(0), 0, at(1)], [endOfText]).filter(token => token < endOfText),
    []
  )
  const next = allowed([at(0), 0, at(1)], [at(2)])
  t.strictSame(next, timestamps(at(1), at(3)))
})

t.test('a segment does not end where it begins', async t => {
  const next = allowed([at(0), 0, at(1), at(1), 0], [at(2)])
  t.strictSame(next, timestamps(at(1.02), at(3)))
})

t.test('timestamps that are likelier together than any text come next', async t => {
  const logits = new Float32Array(VOCABULARY).fill(0)
  logits[2] = 4.9
  applyRules(logits, [at(0), 0], config)
  t.equal(logits[2], Number.NEGATIVE_INFINITY, '150 timestamps weigh more than one token of e^4.9')
  logits.fill(0)
  logits[2] = 5.1
  applyRules(logits, [at(0), 0], config)
  t.not(logits[2], Number.NEGATIVE_INFINITY)
})

t.test('whatever the model likes, its text keeps to the form', async () => {
  const steering = Array.from({ length: firstTimestamp - endOfText - 1 }, (_, index) => endOfText + 1 + index)
  const never = new Set([...config.suppress, ...steering])
  const logit = fc.integer({ min: -8, max: 8 })
  const step = fc.record({
    likes: fc.dictionary(fc.integer({ min: 0, max: VOCABULARY - 1 }).map(String), logit),
    chance: fc.float({ min: 0, max: Math.fround(0.999), noNaN: true })
  })
  assertProperty(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), steps => {
      const written: number[] = []
      for (const { likes, chance } of steps) {
        const logits = new Float32Array(VOCABULARY).fill(-2)
        for (const [token, liked] of Object.entries(likes)) logits[Number(token)] = liked
        applyRules(logits, written, config)
        if (logits.every(value => value === Number.NEGATIVE_INFINITY)) break
        const token = drawn(logits, 1, chance)
        if (token === endOfText) break
        written.push(token)
      }
      holdsForm(written, never)
    })
  )
})

/** @throws Error where a text breaks the form that segments are cut by */
function holdsForm(written: readonly number[], never: ReadonlySet<number>): void {
  const fail = (what: string): never => {
    throw new Error(`${what}: ${written.join(' ')}`)
  }
  const [first] = written
  if (first !== undefined && (first < firstTimestamp || first > at(1))) fail('a begin')
  if (written.some(token => never.has(token))) fail('a token that is never written')
  const times = written.filter(token => token >= firstTimestamp)
  for (const [index, time] of times.entries())
    if (index > 0 && time < (times[index - 1] ?? 0)) fail('a time that goes back')
  // opening and closing take turns, and each segment takes some time
  for (let index = 1; index < times.length; index += 2)
    if (times[index] === times[index - 1]) fail('a segment of no length')
  let run = 0
  for (const token of written) {
    run = token >= firstTimestamp ? run + 1 : 0
    if (run > 2) fail('three timestamps')
  }
}
