import { threadId } from 'node:worker_threads'
import { MeshError } from '../../src/errors.ts'
import { serveTasks } from '../../src/serve-tasks.ts'

export type TestTask =
  | { readonly type: 'echo'; readonly value: unknown }
  | { readonly type: 'later'; readonly value: unknown }
  | { readonly type: 'fail' }
  | { readonly type: 'spin'; readonly where: string }
  | { readonly type: 'grow' }
  /** Says that it runs by `flags[0]`, in which thread by `flags[2]`, and ends once `flags[1]` is set. */
  | { readonly type: 'hold'; readonly flags: Int32Array }
  | { readonly type: 'thread' }
  | { readonly type: 'exit' }

serveTasks<TestTask>((task, progress) => {
  switch (task.type) {
    case 'echo':
      return { result: task.value }
    case 'later':
      return Promise.resolve({ result: task.value })
    case 'fail':
      throw new MeshError('invalid_request', 'it is wrong', { hint: 'Mend it.', details: { param: 'x' } })
    case 'spin':
      progress(task.where)
      for (;;);
    case 'grow': {
      const kept: unknown[] = []
      for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => ({ index })))
    }
    case 'hold':
      Atomics.store(task.flags, 2, threadId)
      Atomics.store(task.flags, 0, 1)
      Atomics.notify(task.flags, 0)
      Atomics.wait(task.flags, 1, 0)
      return { result: 'held' }
    case 'thread':
      return { result: threadId }
    case 'exit':
      process.exit(0)
  }
})
