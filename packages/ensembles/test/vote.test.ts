import assert from 'node:assert/strict'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { byField, normalised, vote } from '../src/vote.ts'

const cases = [
  { id: 'the majority wins', answers: ['a', 'b', 'b'], winner: 1, votes: [2, 1] },
  { id: 'of equals, the one that was named first', answers: ['a', 'b', 'b', 'a'], winner: 0, votes: [2, 2] },
  {
    id: 'case, spaces, quotes and a full stop do not count',
    answers: ['x', ' "Paris." ', 'paris'],
    winner: 1,
    votes: [2, 1]
  },
  { id: 'a failed model has no vote', answers: [undefined, 'b'], winner: 1, votes: [1] },
  { id: 'nobody answered', answers: [undefined, undefined], winner: undefined, votes: [] }
]
for (const { id, answers, winner, votes } of cases) {
  t.test(id, async t => {
    const result = vote(answers, normalised)
    t.equal(result.winner, winner)
    t.same(
      result.ballots.map(ballot => ballot.voters.length),
      votes
    )
  })
}

t.test('a field of JSON answers votes, whatever stands around it', async t => {
  const answers = [
    '{"verdict": {"label": "Spam"}}',
    'no JSON',
    '```json\n{"verdict":{"label":"ham"}}\n```',
    '{"verdict":{"label":"HAM"}}'
  ]
  const result = vote(answers, byField('verdict.label'))
  t.equal(result.winner, 2)
  t.same(result.ballots, [
    { answer: 'ham', voters: [2, 3] },
    { answer: 'spam', voters: [0] }
  ])
  t.equal(vote(['x', 'y'], byField('a')).winner, 0, 'when nobody votes, the first answer stands')
  t.equal(byField('a')('{"a": {"c": 1, "b": [2]}}'), byField('a')('{"a": {"b": [2], "c": 1}}'), 'keys have no order')
  t.equal(byField('constructor.name')('{}'), undefined, 'only what the answer says counts')
})

t.test('the winner always has the most votes, and an answer', async t => {
  assertProperty(
    fc.property(
      fc.array(fc.option(fc.constantFrom('a', 'B', 'b ', 'c'), { nil: undefined }), { maxLength: 16 }),
      answers => {
        const { winner, ballots } = vote(answers, normalised)
        const most = Math.max(0, ...ballots.map(ballot => ballot.voters.length))
        const cast = ballots.reduce((sum, ballot) => sum + ballot.voters.length, 0)
        assert.equal(cast, answers.filter(answer => answer !== undefined).length)
        if (winner === undefined) return most === 0
        return ballots.some(({ voters }) => voters[0] === winner && voters.length === most)
      }
    )
  )
  t.pass('held for every sample')
})
