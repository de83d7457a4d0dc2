import type { SeededRandom } from '@resultity/test-mesh'

/** What goes wrong, with whom (peers by their index, the coordinator last) and for how long. */
export type Fault =
  | { readonly type: 'drop'; readonly a: number; readonly b: number }
  | { readonly type: 'cut'; readonly a: number; readonly b: number; readonly ms: number }
  | { readonly type: 'stall'; readonly a: number; readonly b: number; readonly ms: number }
  | { readonly type: 'crash' | 'drain' | 'stop'; readonly node: number; readonly ms: number }
  | { readonly type: 'hang'; readonly node: number; readonly ms: number }
  | { readonly type: 'slow'; readonly node: number; readonly factor: number; readonly ms: number }
  | { readonly type: 'clock'; readonly peer: number; readonly byMs: number }
  /** `tokens`: once so many more tokens of answers that outlive it were told, or some seconds have passed; 0: at once. */
  | { readonly type: 'coordinator'; readonly ms: number; readonly tokens: number }

/** How often each is drawn, of all together. */
const WEIGHTS: readonly (readonly [Fault['type'], number])[] = [
  ['drop', 6],
  ['cut', 4],
  ['stall', 4],
  ['crash', 4],
  ['stop', 1],
  ['drain', 2],
  ['hang', 3],
  ['slow', 3],
  ['clock', 2],
  ['coordinator', 1]
]

/** Draws what goes wrong next among so many nodes and their coordinator. Pure but for the series. */
export function drawFault(random: SeededRandom, nodeCount: number): Fault {
  const node = random.below(nodeCount)
  const a = random.below(nodeCount + 1)
  const b = (a + 1 + random.below(nodeCount)) % (nodeCount + 1)
  // mostly some seconds, sometimes longer than anybody waits
  const ms = random.chance(0.2) ? 60_000 * random.fraction() : 5000 * random.fraction()
  switch (drawType(random)) {
    case 'drop':
      return { type: 'drop', a, b }
    case 'cut':
      return { type: 'cut', a, b, ms }
    case 'stall':
      return { type: 'stall', a, b, ms }
    case 'crash':
      return { type: 'crash', node, ms }
    case 'stop':
      return { type: 'stop', node, ms }
    case 'drain':
      return { type: 'drain', node, ms }
    case 'hang':
      return { type: 'hang', node, ms }
    case 'slow':
      return { type: 'slow', node, factor: random.between(2, 200), ms }
    case 'clock':
      return { type: 'clock', peer: a, byMs: Math.round(3_600_000 * (2 * random.fraction() - 1)) }
    case 'coordinator':
      return { type: 'coordinator', ms, tokens: random.chance(0.5) ? random.between(1, 12) : 0 }
  }
}

function drawType(random: SeededRandom): Fault['type'] {
  let drawn = random.below(WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0))
  for (const [type, weight] of WEIGHTS) {
    drawn -= weight
    if (drawn < 0) return type
  }
  return 'drop'
}
