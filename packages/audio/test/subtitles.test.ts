import t from 'tap'
import { srtOf, vttOf } from '../src/subtitles.ts'

const segments = [
  { start: 0, end: 2.4999, text: ' And so, my fellow Americans,' },
  { start: 3599.9996, end: 360_001.5, text: 'line\r\n\r\n00:01 --> 00:02 ---> x\u2028end ' },
  { start: -1, end: 0.0004, text: '' }
]

t.test('SubRip', async t => {
  t.equal(
    srtOf(segments),
    [
      '1\n00:00:00,000 --> 00:00:02,500\nAnd so, my fellow Americans,\n\n',
      '2\n01:00:00,000 --> 100:00:01,500\nline 00:01 -> 00:02 -> x end\n\n',
      '3\n00:00:00,000 --> 00:00:00,000\n\n\n'
    ].join('')
  )
})

t.test('WebVTT', async t => {
  t.equal(vttOf(segments.slice(0, 1)), 'WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nAnd so, my fellow Americans,\n\n')
  t.equal(vttOf([]), 'WEBVTT\n\n')
})
