import { test } from 'tap'
import { survivesBadInput } from './bad-input.ts'

test('no input is a fault of ours, and none leaves anything behind', async t => {
  await survivesBadInput(t, 25)
})
