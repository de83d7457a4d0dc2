// What: holds the threads of libuv's pool to the CPU that the runtime's bound threads leave free.
// Measured: 1.01 to 1.08 of the tokens a second in 2 stages, 1.08 in 4; docs/engine.md, "A CPU for each thread".
// Upstream: the runtime leaves the calling thread to its caller, https://github.com/microsoft/onnxruntime/issues/11563,
// and libuv has no call for where its pool runs.

import { readdir, readFile } from 'node:fs/promises'
import koffi, { type KoffiFunc } from 'koffi'
import { usableCpus } from './thread-affinity.ts'

/** The name libuv gives the threads of its pool; the runtime's threads inherit it from the one that makes them. */
const POOL_THREAD_NAME = 'libuv-worker'
/** `CPU_SETSIZE` of glibc's `sched.h`, in bytes. */
const CPU_SET_BYTES = 128

type SetAffinity = KoffiFunc<(thread: number, bytes: number, set: Uint8Array) => number>

/**
 * The threads that runs are called on, those of libuv's pool. They are held to the first CPU while every graph of the
 * process has its other threads bound to the rest: else a caller that wakes on the CPU of a bound thread keeps that one
 * waiting for a millisecond or more, while the first CPU idles. Not so while there is work for more than one caller: they
 * do more than the other threads of a run, here and in other processes. Linux only; a refusal costs speed and nothing else.
 */
export class CallingThreads {
  static #found: Promise<CallingThreads> | undefined
  readonly #threads: readonly number[]
  readonly #cpus = usableCpus()
  readonly #count = { bound: 0, unbound: 0, work: 0 }
  #held = false

  private constructor(threads: readonly number[]) {
    this.#threads = threads
  }

  /** Those of this process. First called before a graph is loaded: what is named like a thread of the pool then is one. */
  static of(): Promise<CallingThreads> {
    CallingThreads.#found ??= poolThreads().then(threads => new CallingThreads(threads))
    return CallingThreads.#found
  }

  /**
   * There is a graph until disposed, whose other threads are bound or not. Called before it is loaded: threads that are
   * not bound are made with the CPUs of the caller that makes them, and need all.
   */
  graph(bound: boolean): Disposable {
    return this.#add(bound ? 'bound' : 'unbound')
  }

  /** There is something to call for until disposed: a session, or a run of its own. */
  work(): Disposable {
    return this.#add('work')
  }

  #add(what: 'bound' | 'unbound' | 'work'): Disposable {
    const change = (by: 1 | -1): void => {
      this.#count[what] += by
      this.#place()
    }
    change(1)
    return { [Symbol.dispose]: () => change(-1) }
  }

  #place(): void {
    const { bound, unbound, work } = this.#count
    const held = bound > 0 && unbound === 0 && work <= 1
    if (held === this.#held) return
    this.#held = held
    placeThreads(this.#threads, held ? this.#cpus.slice(0, 1) : this.#cpus)
  }
}

/** Ids of the threads in libuv's pool. Reading a directory starts the pool where nothing else has. */
async function poolThreads(): Promise<number[]> {
  if (process.platform !== 'linux') return []
  const ids = await readdir('/proc/self/task').catch(() => [])
  const named = ids.map(async id => ({
    id: Number(id),
    // threads end at any time
    name: await readFile(`/proc/self/task/${id}/comm`, 'utf8').catch(() => '')
  }))
  return (await Promise.all(named)).filter(({ name }) => name.trim() === POOL_THREAD_NAME).map(({ id }) => id)
}

let setAffinity: SetAffinity | undefined

function placeThreads(threads: readonly number[], cpus: readonly number[]): void {
  const set = new Uint8Array(CPU_SET_BYTES)
  for (const cpu of cpus) {
    if (cpu < CPU_SET_BYTES * 8) set[cpu >> 3] = (set[cpu >> 3] ?? 0) | (1 << (cpu & 7))
  }
  setAffinity ??= koffi.load(null).func('sched_setaffinity', 'int', ['int', 'size_t', 'const uint8_t *'])
  for (const thread of threads) setAffinity(thread, set.length, set)
}
