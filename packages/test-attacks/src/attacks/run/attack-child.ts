import { constants, setPriority } from 'node:os'
import type { AttackChildInit, AttackersSaid, AttackOrder } from './attack-messages.ts'
import { AttackRun } from './attack-run.ts'

/** The attackers' process. It takes what time the mesh leaves: what it costs the mesh is what the mesh itself does. */

setPriority(constants.priority.PRIORITY_LOW)
process.on('disconnect', () => process.exit(0))

const { ground, seed, only }: AttackChildInit = JSON.parse(process.argv[2] ?? '{}')
const run = await AttackRun.begin(ground, { seed, only })
let over = new AbortController()
let attacking: Promise<void> = Promise.resolve()

process.on('message', (order: AttackOrder) => {
  if (order === 'attack') {
    over = new AbortController()
    attacking = run.attackUntil(over.signal)
  } else if (order === 'stop') {
    over.abort()
    void attacking.then(() => report({ kind: 'stopped', rows: run.rows }))
  } else {
    void run[Symbol.asyncDispose]().then(() => process.disconnect())
  }
})
report({ kind: 'ready' })

function report(said: AttackersSaid): void {
  process.send?.(said)
}
