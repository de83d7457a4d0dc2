import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { type NamedPrompt, PromptNames } from '../src/prompt-names.ts'

const STEP = 16
const prompt = Array.from({ length: 5 * STEP }, (_, index) => index * 7)
const named: NamedPrompt = {
  namespace: 'a',
  placementId: 'p1',
  manifestSha256: 'f0'.repeat(32),
  prompt,
  prefillChunk: STEP
}
const secret = new Uint8Array(32).fill(1)

t.test('two prompts have the names of the steps that they have in common, and no others', t => {
  const names = new PromptNames(secret)
  const all = names.of(named)
  t.equal(all.length, 4, 'of all steps but the last')
  t.ok(all.every(name => /^[0-9a-f]{32}$/.test(name)))
  t.equal(new Set(all).size, all.length)
  t.same(names.of({ ...named, prompt: [...prompt, ...prompt] }).slice(0, 4), all, 'the next turn')
  const branch = [...prompt]
  branch[2 * STEP] = 1
  const other = names.of({ ...named, prompt: branch })
  t.same(other.slice(0, 2), all.slice(0, 2))
  t.ok(
    other.slice(2).every(name => !all.includes(name)),
    'a name stands for all tokens before it too'
  )
  t.same(names.of({ ...named, prompt: prompt.slice(0, STEP + 4) }), [], 'one step')
  t.same(names.of({ ...named, prefillChunk: 1 }), [], 'steps of one position')
  t.equal(names.areFor(prompt.length, STEP), true)
  t.equal(names.areFor(STEP, STEP), false)
  t.equal(names.areFor(prompt.length, 8), false)
  t.end()
})

t.test('whose tokens they are, and what computes them, is part of every name', t => {
  const all = new PromptNames(secret).of(named)
  const cases: Record<string, readonly string[]> = {
    'another namespace': new PromptNames(secret).of({ ...named, namespace: 'b' }),
    'another placement': new PromptNames(secret).of({ ...named, placementId: 'p2' }),
    'another model': new PromptNames(secret).of({ ...named, manifestSha256: '0f'.repeat(32) }),
    'other steps': new PromptNames(secret).of({ ...named, prefillChunk: 2 * STEP }),
    'another coordinator': new PromptNames(new Uint8Array(32).fill(2)).of(named),
    'fields that run into each other': new PromptNames(secret).of({ ...named, namespace: 'a","p1', placementId: '' })
  }
  for (const [id, names] of Object.entries(cases)) {
    t.ok(names.length > 0 && names.every(name => !all.includes(name)), id)
  }
  t.end()
})

t.test('pictures are part of the names of the steps that show them, and of those behind', t => {
  const names = new PromptNames(secret)
  const shown = (position: number, value: number) => ({ position, count: 4, digest: new Uint8Array(32).fill(value) })
  const all = names.of({ ...named, shown: [shown(STEP + 2, 1)] })
  const plain = names.of(named)
  t.equal(all[0], plain[0], 'the step before it')
  t.notOk(all.slice(1).some(name => plain.includes(name)))
  const other = names.of({ ...named, shown: [shown(STEP + 2, 2)] })
  t.equal(other[0], all[0])
  t.notOk(
    other.slice(1).some(name => all.includes(name)),
    'another picture'
  )
  const moved = names.of({ ...named, shown: [shown(STEP + 3, 1)] })
  t.notOk(
    moved.slice(1).some(name => all.includes(name)),
    'at another place'
  )
  const over = names.of({ ...named, shown: [shown(2 * STEP - 2, 1)] })
  t.equal(over[0], plain[0], 'one that begins in a step and ends in the next')
  t.notOk(over.slice(1).some(name => plain.includes(name)))
  t.same(names.of({ ...named, shown: [shown(STEP + 2, 1)] }), all)
  t.end()
})

t.test('names agree exactly as far as whole steps do', t => {
  const names = new PromptNames(secret)
  const tokens = fc.array(fc.nat({ max: 1 }), { minLength: 1, maxLength: 70 })
  assertProperty(
    fc.property(tokens, tokens, tokens, (both, one, other) => {
      const [a, b] = [
        [...both, ...one],
        [...both, ...other]
      ]
      const [first, second] = [names.of({ ...named, prompt: a }), names.of({ ...named, prompt: b })]
      return first.every((name, index) => {
        const end = (index + 1) * STEP
        const same = end <= b.length && a.slice(0, end).join() === b.slice(0, end).join()
        return second[index] === undefined || (name === second[index]) === same
      })
    })
  )
  t.end()
})
