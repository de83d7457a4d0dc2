import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { MeshError } from '@resultity/interface'
import type { AttackChildInit, AttackersSaid, AttackOrder } from './attack-messages.ts'
import type { AttackRow } from './attack-run.ts'

/** Attackers in a process of their own. */
export class Attackers implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'exit')
  }

  static async start(init: AttackChildInit): Promise<Attackers> {
    const attackers = new Attackers(fork(new URL('./attack-child.js', import.meta.url), [JSON.stringify(init)]))
    await attackers.#said('ready')
    return attackers
  }

  attack(): void {
    this.#order('attack')
  }

  /** Resolves when the last attempt is through. @returns what was seen since the start */
  async stop(): Promise<readonly AttackRow[]> {
    this.#order('stop')
    const said = await this.#said('stopped')
    return said.kind === 'stopped' ? said.rows : []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#order('end')
    await this.#ended
  }

  #order(order: AttackOrder): void {
    this.#child.send(order)
  }

  async #said(kind: AttackersSaid['kind']): Promise<AttackersSaid> {
    const ended = this.#ended.then(() => {
      throw new MeshError('internal', 'the process of the attackers has ended')
    })
    const [said]: [AttackersSaid] = (await Promise.race([once(this.#child, 'message'), ended])) as [AttackersSaid]
    if (said.kind === kind) return said
    throw new MeshError('internal', `the attackers said ${said.kind}, not ${kind}`)
  }
}
