// What tap is given for node:async_hooks, see test-preload.mjs. With real hooks it follows every promise of the process
// from its making to its collection, only to know which test is under way: up to half of the time of a test of many
// promises. Here a test is the value of an AsyncLocalStorage, for which nothing is followed (since Node 24).
import { AsyncLocalStorage } from 'node:async_hooks'

/** Id of the test whose code runs. */
const running = new AsyncLocalStorage()
/** Of no test. */
const NONE = 0
let lastId = NONE
let hooks

export const executionAsyncId = () => running.getStore() ?? NONE

/** Hears of tests that are made, and of nothing else. That one has ended tap knows without. */
export function createHook(callbacks) {
  return {
    enable: () => {
      hooks = callbacks
    },
    disable: () => {
      hooks = undefined
    }
  }
}

/** A test: tap makes no other resources. */
export class AsyncResource {
  #id = ++lastId

  constructor(type) {
    hooks?.init(this.#id, type, executionAsyncId())
  }

  runInAsyncScope(run, self, ...args) {
    return running.run(this.#id, () => Reflect.apply(run, self, args))
  }

  emitDestroy() {
    return this
  }
}
