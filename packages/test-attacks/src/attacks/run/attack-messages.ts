import type { AttackGround } from '../attacks/attack.ts'
import type { AttackRow } from './attack-run.ts'

/** What the attackers' process is started with. */
export interface AttackChildInit {
  readonly ground: AttackGround
  readonly seed: number
  readonly only?: string | undefined
}

/** To it. */
export type AttackOrder = 'attack' | 'stop' | 'end'

/** From it: after the start, and whenever it has stopped, with all that was seen so far. */
export type AttackersSaid =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stopped'; readonly rows: readonly AttackRow[] }
