import { parentPort, type Transferable } from 'node:worker_threads'
import { MeshError } from './errors.ts'
import type { TaskFailure, TaskReply } from './task-thread.ts'

/** What a task gives back, and which of its buffers are handed over rather than copied. */
export interface TaskResult {
  readonly result: unknown
  readonly transfer?: readonly Transferable[]
}

/**
 * The other end of a `TaskThread`, in the thread's file: does the tasks that come, one after the other.
 *
 * @param work does a task, given as `TaskThread.run` was given it, at once or by a promise; `progress` tells where it is,
 * for the error of a task that does not end
 */
export function serveTasks<Input>(
  work: (input: Input, progress: (where: string) => void) => TaskResult | Promise<TaskResult>
): void {
  const reply = (message: TaskReply, transfer: readonly Transferable[] = []): void =>
    parentPort?.postMessage(message, transfer)
  parentPort?.on('message', async (input: Input) => {
    reply({ type: 'begun' })
    try {
      const { result, transfer } = await work(input, progress => reply({ type: 'progress', progress }))
      reply({ type: 'result', result }, transfer)
    } catch (error) {
      reply({ type: 'failure', failure: failureOf(error) })
    }
  })
}

function failureOf(error: unknown): TaskFailure {
  const { code, message, hint, details } = MeshError.from(error)
  return { code, message, hint, details }
}
