import { setTimeout as delay } from 'node:timers/promises'
import { SeededRandom } from '@resultity/test-mesh'
import type { Attack, AttackGround, RunningAttack } from '../attacks/attack.ts'
import { ATTACKS } from '../attacks/index.ts'

/** What came of one kind of attack. */
export interface AttackRow {
  readonly name: string
  readonly tries: number
  /** Of these, what was refused as it should be. */
  readonly refused: number
  /** What the attacker saw, and how often. */
  readonly seen: Readonly<Record<string, number>>
  /** What it saw and should not have, or should have and did not. */
  readonly holes: readonly string[]
}

export interface AttackRunInit {
  readonly seed: number
  /** Only attacks whose name has this in it. Default: all. */
  readonly only?: string | undefined
}

interface Entry {
  readonly attack: Attack
  readonly running: RunningAttack
  readonly seen: Map<string, number>
}

/** All attacks on one mesh, each of which begins again when it is through. */
export class AttackRun implements AsyncDisposable {
  readonly #entries: readonly Entry[]

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries
  }

  static async begin(ground: AttackGround, { seed, only = '' }: AttackRunInit): Promise<AttackRun> {
    const random = new SeededRandom(seed)
    let host = 1
    const nextIp = (): string => `127.0.${Math.floor(++host / 250)}.${(host % 250) + 2}`
    const entries: Entry[] = []
    for (const attack of ATTACKS.filter(({ name }) => name.includes(only))) {
      const running = await attack.begin({ ground, random: random.fork(), nextIp })
      entries.push({ attack, running, seen: new Map() })
    }
    return new AttackRun(entries)
  }

  /** Attacks until the signal aborts, each at least once. Resolves when the last attempt is through. */
  async attackUntil(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#entries.map(entry => attackUntil(entry, signal)))
  }

  get rows(): AttackRow[] {
    return this.#entries.map(({ attack, seen }) => rowOf(attack, seen))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { running } of this.#entries) await running[Symbol.asyncDispose]()
  }
}

async function attackUntil({ attack, running, seen }: Entry, signal: AbortSignal): Promise<void> {
  do {
    const saw = await running.attempt().catch((error: unknown) => [`the attack itself failed: ${error}`])
    for (const one of saw) seen.set(one, (seen.get(one) ?? 0) + 1)
    await delay(attack.pauseMs, undefined, { signal }).catch(() => undefined)
  } while (!signal.aborted)
}

/** Pure. */
export function rowOf(
  { name, refusals, must }: Pick<Attack, 'name' | 'refusals' | 'must'>,
  seen: ReadonlyMap<string, number>
): AttackRow {
  const counts = [...seen]
  const sum = (of: readonly (readonly [string, number])[]): number => of.reduce((total, [, count]) => total + count, 0)
  const wrong = counts.filter(([one]) => !refusals.includes(one)).map(([one, count]) => `${count} times: ${one}`)
  const missing = must.filter(one => !seen.has(one)).map(one => `never: ${one}`)
  return {
    name,
    tries: sum(counts),
    refused: sum(counts.filter(([one]) => refusals.includes(one))),
    seen: Object.fromEntries(counts),
    holes: [...wrong, ...missing]
  }
}
