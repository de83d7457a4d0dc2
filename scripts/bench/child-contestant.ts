import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { MeshError } from '@resultity/interface'
import { residentBytes } from '@resultity/testkit'
import type { ChildInit, ChildReply, ChildRequest } from './child-messages.ts'
import type { Contestant, ResidentMemory, Sample, Workload } from './contestant.ts'

/** A contestant in a process of its own, which computes on the loop's behalf and nothing else. */
export class ChildContestant implements Contestant {
  readonly name: string
  readonly #child: ChildProcess
  readonly #weightBytes: number
  readonly #workload: Workload

  private constructor(name: string, child: ChildProcess, weightBytes: number, workload: Workload) {
    this.name = name
    this.#child = child
    this.#weightBytes = weightBytes
    this.#workload = workload
  }

  static async start(name: string, init: ChildInit, workload: Workload): Promise<ChildContestant> {
    const child = fork(new URL('./measured-child.js', import.meta.url), [JSON.stringify(init)])
    const ready = await nextReply(child)
    return new ChildContestant(name, child, ready.type === 'ready' ? ready.weightBytes : 0, workload)
  }

  async measure(): Promise<Sample> {
    const reply = await this.#ask({ type: 'measure', workload: this.#workload })
    if (reply.type !== 'sample') throw this.#unexpected(reply)
    return reply.sample
  }

  /** Tokens per second with each of `positions` in the cache, measured in turns: medians of `rounds`. */
  async decodeAt(positions: readonly number[], decodeTokens: number, rounds: number): Promise<readonly number[]> {
    const reply = await this.#ask({ type: 'decode-at', positions, decodeTokens, rounds })
    if (reply.type !== 'decodes') throw this.#unexpected(reply)
    return reply.decodes
  }

  async memory(): Promise<ResidentMemory[]> {
    const { pid } = this.#child
    if (pid === undefined) return []
    return [{ name: this.name, residentBytes: await residentBytes(pid), weightBytes: this.#weightBytes }]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
  }

  #ask(request: ChildRequest): Promise<ChildReply> {
    this.#child.send(request)
    return nextReply(this.#child)
  }

  #unexpected(reply: ChildReply): MeshError {
    return new MeshError('internal', `${this.name} answered ${reply.type}`)
  }
}

async function nextReply(child: ChildProcess): Promise<ChildReply> {
  const { promise, resolve, reject } = Promise.withResolvers<ChildReply>()
  const onExit = (code: number | null): void =>
    reject(new MeshError('internal', `the measured process ended with ${code}`))
  child.once('message', (reply: ChildReply) => resolve(reply))
  child.once('exit', onExit)
  try {
    const reply = await promise
    if (reply.type === 'failed') throw new MeshError('internal', reply.message)
    return reply
  } finally {
    child.off('exit', onExit)
  }
}
