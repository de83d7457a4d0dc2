import { type AttackReport, benchAttacked, missedAttackAims, missedAttackTimes } from '@resultity/test-attacks/attacks'

export interface AttacksInit {
  readonly seed: number
  readonly minutes: number
  /** Only attacks whose name has this in it. */
  readonly only: string | undefined
  readonly log: (line: string) => void
}

export interface AttacksBench {
  readonly report: AttackReport
  /** What should hold and did not. */
  readonly missed: readonly string[]
}

/** Attacks a live mesh for some minutes, in turns with peace, and says what of the aims was missed. */
export async function benchAttacks(init: AttacksInit): Promise<AttacksBench> {
  const report = await benchAttacked(init)
  return { report, missed: [...missedAttackAims(report), ...missedAttackTimes(report)] }
}
