import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { splitWindow } from '../src/window-segments.ts'
import { at, config } from './support/scripted-speech.ts'

const window = { first: 100, count: 300 }
const split = (tokens: readonly number[], last = false) => {
  const { segments, next } = splitWindow(tokens, window, config.tokens, last)
  return { next, segments: segments.map(({ start, end, tokens }) => [start, end, tokens]) }
}

const cases = [
  {
    id: 'a text that is closed is one segment from the beginning, and the rest of the window is silent',
    tokens: [at(0.5), 0, 1, at(2)],
    is: { next: 400, segments: [[1, 3, [at(0.5), 0, 1, at(2)]]] }
  },
  {
    id: 'pairs of timestamps divide, and a single one closes the last',
    tokens: [at(0), 0, at(1), at(1), 1, at(2)],
    is: {
      next: 400,
      segments: [
        [1, 2, [at(0), 0, at(1)]],
        [2, 3, [at(1), 1, at(2)]]
      ]
    }
  },
  {
    id: 'a segment that is cut off belongs to the next window',
    tokens: [at(0), 0, at(1.4), at(1.6), 1],
    is: { next: 240, segments: [[1, 2.4, [at(0), 0, at(1.4)]]] }
  },
  {
    id: 'a window that ends with a pair is followed by one from there',
    tokens: [at(0), 0, at(2), at(2)],
    is: { next: 300, segments: [[1, 3, [at(0), 0, at(2)]]] }
  },
  {
    id: 'a text without a closing timestamp takes the whole window',
    tokens: [at(0), 0, 1],
    is: { next: 400, segments: [[1, 4, [at(0), 0, 1]]] }
  }
]
for (const { id, tokens, is } of cases) t.test(id, async t => t.strictSame(split(tokens), is))

t.test('the last window that may be heard leaves nothing out', async t => {
  t.strictSame(split([at(0), 0, at(1), at(1.5), 1], true), {
    next: 400,
    segments: [
      [1, 2, [at(0), 0, at(1)]],
      [2.5, 4, [at(1.5), 1]]
    ]
  })
})

t.test('whatever the tokens, every segment is a run of them, and the next window is further on', async () => {
  const tokens = fc.array(fc.oneof(fc.integer({ min: 0, max: 8 }), fc.integer({ min: at(0), max: at(3) })), {
    maxLength: 20
  })
  assertProperty(
    fc.property(tokens, fc.boolean(), (tokens, last) => {
      const { segments, next } = splitWindow(tokens, window, config.tokens, last)
      let from = 0
      for (const segment of segments) {
        if (segment.from !== from) return false
        if (segment.tokens.some((token, index) => token !== tokens[from + index])) return false
        from += segment.tokens.length
      }
      return (
        next > window.first && next <= window.first + window.count && (next < 400 || from === tokens.length || !last)
      )
    })
  )
})
