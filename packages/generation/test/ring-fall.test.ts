import { MeshError } from '@resultity/interface'
import t from 'tap'
import { RingFall } from '../src/ring-fall.ts'

const lost = new MeshError('node_lost', 'the next stage went away')
const stopping = new MeshError('unavailable', 'the node is shutting down')

t.test('what a ring fell with is what the table says', async t => {
  const cases: {
    id: string
    broken: [from: number, to: number][]
    faults: [index: number, error: MeshError][]
    there: number[]
    want: object
  }[] = [
    { id: 'one reports', broken: [], faults: [[1, lost]], there: [0, 1, 2], want: { type: 'stage', index: 1 } },
    {
      id: 'two report each other',
      broken: [
        [0, 1],
        [1, 0]
      ],
      faults: [
        [0, lost],
        [1, lost]
      ],
      there: [],
      want: { type: 'link', from: 0, to: 1 }
    },
    {
      id: 'one reports another, whose stream stands',
      broken: [[0, 1]],
      faults: [[0, lost]],
      there: [1, 2],
      want: { type: 'link', from: 0, to: 1 }
    },
    {
      id: 'one reports another, which is not reached',
      broken: [[0, 1]],
      faults: [[0, lost]],
      there: [2],
      want: { type: 'stage', index: 1 }
    },
    {
      id: 'one stops, and its neighbours lose it before it has said so',
      broken: [
        [0, 1],
        [2, 1]
      ],
      faults: [
        [0, lost],
        [2, lost],
        [1, stopping]
      ],
      there: [],
      want: { type: 'stage', index: 1, error: stopping }
    }
  ]
  for (const { id, broken, faults, there, want } of cases) {
    const fall = new RingFall()
    t.notOk(fall.begun)
    for (const [from, to] of broken) fall.broke(from, to)
    for (const [index, error] of faults) fall.add(index, error)
    t.ok(fall.begun)
    t.match(
      fall.verdict(index => there.includes(index)),
      want,
      id
    )
  }
  t.equal(
    new RingFall().verdict(() => true),
    undefined
  )
})
