import { readdir, readFile } from 'node:fs/promises'
import koffi, { type KoffiFunc } from 'koffi'
import { usableCpus } from '../thread-affinity.ts'

/** The name libuv gives the threads of its pool; the runtime's threads inherit it from the one that makes them. */
const POOL_THREAD_NAME = 'libuv-worker'
/** `CPU_SETSIZE` of glibc's `sched.h`, in bytes. */
const CPU_SET_BYTES = 128

type SetAffinity = KoffiFunc<(thread: number, bytes: number, set: Uint8Array) => number>

/**
 * The threads that runs are called on, those of libuv's pool. They are held to the first CPU while there are sessions
 * whose other threads are bound to the rest: else a caller that wakes on the CPU of a bound thread keeps that one waiting
 * for a millisecond or more, while the first CPU idles. Linux only; a refusal costs speed and nothing else.
 */
export class CallingThreads {
  static #found: Promise<CallingThreads> | undefined
  readonly #threads: readonly number[]
  readonly #reasons = { hold: 0, free: 0 }

  private constructor(threads: readonly number[]) {
    this.#threads = threads
  }

  /** Those of this process. First called before a session is made: what is named like a thread of the pool then is one. */
  static of(): Promise<CallingThreads> {
    CallingThreads.#found ??= poolThreads().then(threads => new CallingThreads(threads))
    return CallingThreads.#found
  }

  /** Holds them to the first CPU until disposed, as long as nobody frees them. */
  hold(): Disposable {
    return this.#count('hold')
  }

  /** Lets them run on every CPU until disposed, whoever holds them. */
  free(): Disposable {
    return this.#count('free')
  }

  #count(reason: 'hold' | 'free'): Disposable {
    const add = (count: 1 | -1): void => {
      this.#reasons[reason] += count
      this.#place()
    }
    add(1)
    return { [Symbol.dispose]: () => add(-1) }
  }

  #place(): void {
    if (this.#threads.length === 0) return
    const cpus = usableCpus()
    placeThreads(this.#threads, this.#reasons.hold > 0 && this.#reasons.free === 0 ? cpus.slice(0, 1) : cpus)
  }
}

/** Ids of the threads in libuv's pool. Reading a directory starts the pool where nothing else has. */
async function poolThreads(): Promise<number[]> {
  if (process.platform !== 'linux') return []
  const ids = await readdir('/proc/self/task')
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
