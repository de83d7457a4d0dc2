import type { ModelConfig } from '@resultity/interface'
import type { StageGraph } from '@resultity/model'
import { getRuntime } from '@resultity/onnx-runtime'
import t from 'tap'
import { KvArena } from '../src/capi/kv-arena.ts'

const HEADS = 2
const HEAD_DIM = 3
const POSITIONS = 5

/** One cache with positions in rows, and one with positions in columns. */
const graph = {
  cache: [{ past: 'past', present: 'present' }],
  groups: { transposed: [{ past: 'past_transposed', present: 'present_transposed' }] }
} as unknown as StageGraph

t.test('positions of a row are wiped, and no others', async t => {
  const config = { kvHeadCount: HEADS, headDim: HEAD_DIM } as ModelConfig
  using arena = new KvArena({ runtime: getRuntime(), graph, config, rows: 3, capacity: POSITIONS })
  const views = arena.view(0, 3)
  t.teardown(() => {
    for (const { tensor } of views) tensor[Symbol.dispose]()
  })
  for (const { tensor } of views) tensor.data.fill(1)
  arena.wipe(1, 2, 4)
  const rowOf = (view: number, row: number): Float32Array | undefined => {
    const length = HEADS * POSITIONS * HEAD_DIM
    return views[view]?.tensor.data.subarray(row * length, (row + 1) * length)
  }
  const untouched = new Float32Array(HEADS * POSITIONS * HEAD_DIM).fill(1)
  for (const view of [0, 1]) {
    t.same(rowOf(view, 0), untouched)
    t.same(rowOf(view, 2), untouched)
  }
  const wiped = (position: number): number => (position === 2 || position === 3 ? 0 : 1)
  const inRows = untouched.map((_, index) => wiped(Math.floor(index / HEAD_DIM) % POSITIONS))
  const inColumns = untouched.map((_, index) => wiped(index % POSITIONS))
  t.same(rowOf(0, 1), inRows)
  t.same(rowOf(1, 1), inColumns)
  arena.wipe(1, 4, POSITIONS + 3)
  t.same(rowOf(0, 2), untouched, 'no row behind it is reached')
})
