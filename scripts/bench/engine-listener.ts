import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { MeshError } from '@resultity/interface'
import type { Heard, Listener } from './listener.ts'
import type { SpeechChildInit, SpeechChildReply } from './speech-messages.ts'

/** Our engine in a process of its own, without a mesh around it. */
export class EngineListener implements Listener {
  readonly name = 'engine'
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** @throws MeshError `internal` with what the process said */
  static async start(init: SpeechChildInit): Promise<EngineListener> {
    const child = fork(new URL('./speech-child.js', import.meta.url), [JSON.stringify(init)])
    await nextReply(child)
    return new EngineListener(child)
  }

  async hear(words: boolean): Promise<Heard> {
    this.#child.send({ words })
    const reply = await nextReply(this.#child)
    if (reply.type !== 'heard') throw new MeshError('internal', `${this.name} answered ${reply.type}`)
    return reply.heard
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
  }
}

async function nextReply(child: ChildProcess): Promise<SpeechChildReply> {
  const { promise, resolve, reject } = Promise.withResolvers<SpeechChildReply>()
  const onExit = (code: number | null): void => reject(new MeshError('internal', `the process ended with ${code}`))
  child.once('message', resolve)
  child.once('exit', onExit)
  try {
    const reply = await promise
    if (reply.type === 'failed') throw new MeshError('internal', reply.message)
    return reply
  } finally {
    child.off('message', resolve)
    child.off('exit', onExit)
  }
}
