import { CallingThreads } from './calling-threads.ts'
import { releaseCodePages } from './code-pages.ts'
import { releaseFilePages } from './file-pages.ts'
import { releaseFreedMemory } from './freed-memory.ts'
import { packIntoHugePages } from './huge-pages.ts'
import { memoryMappings } from './mappings.ts'
import { threadAffinities, usableCpus } from './thread-affinity.ts'

/** Says where the threads that call the runtime may run; see {@link CallingThreads}. */
export interface CallerPlacement {
  /** There is a graph until disposed, whose other threads are bound or not. Called before it is loaded. */
  graph(bound: boolean): Disposable
  /** There is something to call for until disposed: a session, or a run of its own. */
  work(): Disposable
}

/**
 * What a process asks of the system for its own speed and memory. No answer depends on any of it: {@link untuned} does
 * nothing. It concerns the whole process, so a process has one or the other.
 */
export interface ProcessTuning {
  /** False: every method does nothing. */
  readonly active: boolean
  /** Lets go of the pages of code, and of those of `files`; see `file-pages.ts`. */
  releaseFilePages(files: ReadonlySet<string>, isLoaded?: () => boolean): Promise<void>
  /** Lets go of the pages of code; see `code-pages.ts`. */
  releaseCodePages(): Promise<void>
  /** Gives memory that was freed back to the system; see `freed-memory.ts`. */
  releaseFreedMemory(): Promise<void>
  /** Moves filled memory into huge pages; see `huge-pages.ts`. */
  packIntoHugePages(): Promise<void>
  /** A CPU for each thread that helps the calling one, or undefined: they are free; see `thread-affinity.ts`. */
  threadAffinities(threads: number): string | undefined
  /** Where calling threads run; see `calling-threads.ts`. */
  callers(): Promise<CallerPlacement>
}

const free: Disposable = { [Symbol.dispose]: () => undefined }
const nothing = async (): Promise<void> => undefined

export const untuned: ProcessTuning = {
  active: false,
  releaseFilePages: nothing,
  releaseCodePages: nothing,
  releaseFreedMemory: nothing,
  packIntoHugePages: nothing,
  threadAffinities: () => undefined,
  callers: async () => ({ graph: () => free, work: () => free })
}

const tuned: ProcessTuning = {
  active: true,
  releaseFilePages,
  releaseCodePages: async () => releaseCodePages(await memoryMappings()),
  releaseFreedMemory,
  packIntoHugePages,
  threadAffinities: threads => threadAffinities(threads, usableCpus()),
  callers: () => CallingThreads.of()
}

/** @param on whether to do what this package is for; where the system has no such call, it does nothing either way */
export function processTuning(on: boolean): ProcessTuning {
  return on ? tuned : untuned
}
