import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { cutAtPauses, PIECE_SAMPLES_MAX } from '../src/voice/cut-at-pauses.ts'
import type { SampleSpan } from '../src/voice/sample-span.ts'

const SECOND = 16_000
const seconds = (...spans: [number, number][]): SampleSpan[] =>
  spans.map(([start, end]) => ({ start: start * SECOND, end: end * SECOND }))
const inSeconds = (spans: readonly SampleSpan[]): number[][] =>
  spans.map(({ start, end }) => [start / SECOND, end / SECOND])

/** Speech and pauses in turn, in samples. */
const recordings = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 5 * SECOND }), fc.integer({ min: 1, max: 70 * SECOND })), { maxLength: 30 })
  .chain(turns => {
    const speech: SampleSpan[] = []
    let at = 0
    for (const [pause, length] of turns) {
      speech.push({ start: at + pause, end: at + pause + length })
      at += pause + length
    }
    return fc
      .record({ speech: fc.constant(speech), tail: fc.integer({ min: 0, max: 9 * SECOND }) })
      .map(({ speech, tail }) => ({ speech, total: at + tail }))
  })

t.test('every sample of speech is in exactly one piece; pieces are in order and not too long', async t => {
  assertProperty(
    fc.property(recordings, ({ speech, total }) => {
      const pieces = cutAtPauses(speech, total)
      const covered = pieces.reduce(
        (sum, piece) =>
          sum +
          speech.reduce(
            (all, { start, end }) => all + Math.max(0, Math.min(end, piece.end) - Math.max(start, piece.start)),
            0
          ),
        0
      )
      const spoken = speech.reduce((sum, { start, end }) => sum + end - start, 0)
      const fine = pieces.every(({ start, end }, index) => {
        const before = pieces[index - 1]?.end ?? 0
        return start >= before && end > start && end <= total && end - start <= PIECE_SAMPLES_MAX
      })
      return fine && covered === spoken
    }),
    { numRuns: 500 }
  )
  t.pass('for every sample')
})

t.test('a cut is within speech only where no pause is in reach', async t => {
  assertProperty(
    fc.property(recordings, ({ speech, total }) => {
      for (const { end } of cutAtPauses(speech, total)) {
        const cut = speech.find(span => span.start < end && end < span.end)
        if (cut !== undefined && cut.end - cut.start <= PIECE_SAMPLES_MAX) return false
      }
      return true
    }),
    { numRuns: 500 }
  )
  t.pass('for every sample')
})

t.test('pieces meet in the middle of a pause, and leave out most of a long one', async t => {
  t.strictSame(inSeconds(cutAtPauses(seconds([0, 20], [21, 40], [50, 60]), 60 * SECOND)), [
    [0, 20.5],
    [20.5, 41],
    [49, 60]
  ])
})

t.test('what is too long for a piece is cut hard', async t => {
  t.strictSame(inSeconds(cutAtPauses(seconds([1, 66]), 66 * SECOND)), [
    [1, 31],
    [31, 61],
    [61, 66]
  ])
})

t.test('nothing said, nothing cut', async t => {
  t.strictSame(cutAtPauses([], 100), [])
})

t.test('spans that reach over the end or each other count once', async t => {
  t.strictSame(inSeconds(cutAtPauses(seconds([0, 5], [3, 9], [8, 99]), 10 * SECOND)), [[0, 10]])
})
