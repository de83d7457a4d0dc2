import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { StopMatcher } from '../src/stop-matcher.ts'

/** What a client sees when the text comes in these pieces. */
function run(stops: string[], pieces: string[], include = false): { seen: string[]; stop?: string } {
  const matcher = new StopMatcher(stops, { include })
  const seen: string[] = []
  for (const piece of pieces) {
    const { text, stop } = matcher.push(piece)
    seen.push(text)
    if (stop !== undefined) return { seen, stop }
  }
  seen.push(matcher.flush())
  return { seen }
}

t.test('the stop string is part of the text where that is asked for', async t => {
  t.same(run(['END'], ['one E', 'ND two'], true), { seen: ['one ', 'END'], stop: 'END' })
  t.same(run(['ab', 'b'], ['xabc'], true), { seen: ['xab'], stop: 'ab' })
  t.same(run(['END'], ['one E'], true), { seen: ['one ', 'E'] })
})

t.test('text ends before the first stop string', async t => {
  const cases: { id: string; stops: string[]; pieces: string[]; seen: string[]; stop?: string }[] = [
    { id: 'no stops: nothing is held', stops: [], pieces: ['a', 'b'], seen: ['a', 'b', ''] },
    { id: 'inside one piece', stops: ['END'], pieces: ['one END two'], seen: ['one '], stop: 'END' },
    { id: 'over three pieces', stops: ['END'], pieces: ['one E', 'N', 'D two'], seen: ['one ', '', ''], stop: 'END' },
    {
      id: 'a beginning that comes to nothing is given back',
      stops: ['END'],
      pieces: ['one EN', 'ough'],
      seen: ['one ', 'ENough', '']
    },
    { id: 'held until the end', stops: ['END'], pieces: ['one E'], seen: ['one ', 'E'] },
    { id: 'the one that is complete first', stops: ['aba', 'b'], pieces: ['xaba'], seen: ['xa'], stop: 'b' },
    { id: 'the longer of two that end together', stops: ['b', 'ab'], pieces: ['xab'], seen: ['x'], stop: 'ab' },
    { id: 'the earliest of several', stops: ['b', 'a'], pieces: ['xxaab'], seen: ['xx'], stop: 'a' },
    { id: 'one that repeats itself', stops: ['aab'], pieces: ['aa', 'ab'], seen: ['', 'a'], stop: 'aab' },
    { id: 'at once', stops: ['\n'], pieces: ['\nrest'], seen: [''], stop: '\n' }
  ]
  for (const { id, stops, pieces, ...want } of cases) t.same(run(stops, pieces), want, id)
})

t.test('how the text is cut changes nothing, and no part of a stop string is seen', async t => {
  const letters = fc.constantFrom('a', 'b', 'c')
  const word = (min: number, max: number) => fc.array(letters, { minLength: min, maxLength: max }).map(l => l.join(''))
  assertProperty(
    fc.property(fc.array(word(1, 4), { maxLength: 3 }), fc.array(word(0, 3), { maxLength: 12 }), (stops, pieces) => {
      const text = pieces.join('')
      const letterByLetter = run(stops, [...text])
      const whole = run(stops, pieces)
      const seen = whole.seen.join('')
      const stopComes = stops.some(stop => text.includes(stop))
      return (
        seen === letterByLetter.seen.join('') &&
        (whole.stop !== undefined) === stopComes &&
        whole.stop === letterByLetter.stop &&
        (stopComes ? text.startsWith(seen) : text === seen) &&
        !stops.some(stop => seen.includes(stop))
      )
    })
  )
  t.pass('held for every sample')
})
