import { MeshError } from '@resultity/interface'

/** Tasks that may wait; more come only when the database has stopped. */
const WAITING_MAX = 100_000

export type Settled<Output> = { readonly value: Output } | { readonly error: unknown }

export interface BatchesInit<Input, Output> {
  /** Most tasks in one batch. */
  readonly tasksMax: number
  /** Does them in one transaction, and answers each. Throws when none was done. */
  run(inputs: readonly Input[]): Promise<readonly Settled<Output>[]>
  /** Whether the error is about one of the tasks, and the others may go through without it. */
  isOneTasks(error: unknown): boolean
}

interface Task<Input, Output> {
  readonly input: Input
  readonly done: PromiseWithResolvers<Output>
}

/** Group commit: requests that arrive while a batch is in progress form the next batch. The order is kept. */
export class Batches<Input, Output> {
  readonly #init: BatchesInit<Input, Output>
  #waiting: Task<Input, Output>[] = []
  #running = false

  constructor(init: BatchesInit<Input, Output>) {
    this.#init = init
  }

  do(input: Input): Promise<Output> {
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(
        new MeshError('resource_exhausted', `${WAITING_MAX} changes wait for the database`, {
          hint: "look at the database server; it doesn't keep up"
        })
      )
    }
    const done = Promise.withResolvers<Output>()
    this.#waiting.push({ input, done })
    if (!this.#running) {
      this.#running = true
      // after the sockets that are ready now have been read
      setImmediate(() => void this.#run())
    }
    return done.promise
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#perform(this.#waiting.splice(0, this.#init.tasksMax))
    this.#running = false
  }

  async #perform(tasks: readonly Task<Input, Output>[]): Promise<void> {
    try {
      const settled = await this.#init.run(tasks.map(({ input }) => input))
      for (const [index, { done }] of tasks.entries()) {
        const answer = settled[index]
        if (answer !== undefined && 'value' in answer) done.resolve(answer.value)
        else done.reject(answer?.error ?? new MeshError('internal', 'a batch left a task unanswered'))
      }
    } catch (error) {
      if (tasks.length > 1 && this.#init.isOneTasks(error)) {
        for (const task of tasks) await this.#perform([task])
      } else for (const { done } of tasks) done.reject(error)
    }
  }
}
