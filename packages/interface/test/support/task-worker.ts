import { MeshError } from '../../src/errors.ts'
import { serveTasks } from '../../src/serve-tasks.ts'

export type TestTask =
  | { readonly type: 'echo'; readonly value: unknown }
  | { readonly type: 'later'; readonly value: unknown }
  | { readonly type: 'fail' }
  | { readonly type: 'spin'; readonly where: string }
  | { readonly type: 'grow' }
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
    case 'exit':
      process.exit(0)
  }
})
