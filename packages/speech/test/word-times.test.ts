import t from 'tap'
import { segmentWords } from '../src/word-times.ts'

const word = (text: string, start: number, end: number, tokens = [0]) => ({ text, tokens, start, end })
const times = (segments: ReturnType<typeof segmentWords>) =>
  segments.map(({ start, end, words }) => [start, end, ...words.map(({ text, start, end }) => [text, start, end])])

t.test('segments get their words, and end where these do', async t => {
  const words = [word(' a', 0.104, 0.5), word(' b', 0.5, 0.9, [1, 2]), word(' c', 1, 1.4)]
  const segments = [
    { start: 0, end: 1, textTokens: 3 },
    { start: 1, end: 2, textTokens: 1 }
  ]
  t.strictSame(times(segmentWords(segments, { words, medianSeconds: 0.4 }, 0)), [
    [0.1, 0.9, [' a', 0.1, 0.5], [' b', 0.5, 0.9]],
    [1, 1.4, [' c', 1, 1.4]]
  ])
})

t.test('a first word behind a pause is no longer than twice the median', async t => {
  const segment = { start: 0, end: 8, textTokens: 2 }
  t.strictSame(
    times(segmentWords([segment], { words: [word(' a', 0, 6), word(' b', 6, 6.4)], medianSeconds: 0.4 }, 0)),
    [[5.2, 6.4, [' a', 5.2, 6], [' b', 6, 6.4]]]
  )
  t.strictSame(times(segmentWords([segment], { words: [word(' a', 0, 6), word(' b', 6, 8)], medianSeconds: 0.4 }, 0)), [
    [6.4, 8, [' a', 6.4, 7.2], [' b', 7.2, 8]]
  ])
})

t.test('where words and segment differ by half a second, the segment is right', async t => {
  const words = [word(' a', 1, 2.5), word(' b', 2.5, 4)]
  t.strictSame(times(segmentWords([{ start: 2, end: 3, textTokens: 2 }], { words, medianSeconds: 0.7 }, 1)), [
    [2, 3, [' a', 1.8, 2.5], [' b', 2.5, 3.2]]
  ])
})

t.test('a segment without words keeps its times', async t => {
  t.strictSame(times(segmentWords([{ start: 1, end: 2, textTokens: 0 }], { words: [], medianSeconds: 0 }, 0)), [[1, 2]])
})
