import type { GenerationRequest } from '@resultity/generation'
import t from 'tap'
import { SharedPrompts } from '../src/answer/shared-prompts.ts'

const [one, two] = [
  [1, 2, 3],
  [1, 2, 3]
]
const requests = [one, one, two, one, two].map(prompt => ({ prompt }) as unknown as GenerationRequest)

/** Whether it has resolved by now. */
async function isOver(turn: Promise<void> | undefined): Promise<boolean> {
  const after = Promise.resolve('after')
  return turn === undefined || (await Promise.race([turn, after.then(() => after)])) !== 'after'
}

t.test('the first choice of each prompt computes it, and the others wait for that', async t => {
  const prompts = new SharedPrompts(requests, () => true)
  t.same(
    requests.map((_, index) => prompts.isFirst(index)),
    [true, false, true, false, false]
  )
  t.equal(prompts.turn(0), undefined)
  t.equal(prompts.turn(2), undefined)
  const turns = [1, 3, 4].map(index => prompts.turn(index))
  t.same(await Promise.all(turns.map(isOver)), [false, false, false])
  prompts.computed(1)
  t.same(await Promise.all(turns.map(isOver)), [false, false, false], 'nobody waits for a follower')
  prompts.computed(0)
  prompts.computed(0)
  t.same(await Promise.all(turns.map(isOver)), [true, true, false])
  prompts.computed(2)
  t.same(await Promise.all(turns.map(isOver)), [true, true, true])
})

t.test('nobody waits where stages keep nothing', async t => {
  const prompts = new SharedPrompts(requests, () => false)
  for (const index of requests.keys()) t.equal(prompts.turn(index), undefined)
  prompts.computed(0)
})
