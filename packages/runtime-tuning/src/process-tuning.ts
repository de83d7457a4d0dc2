import { type Tuning, type TuningMeasure, tunes } from '@resultity/interface'
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
  /** Whether an idle stage runs once more, so that the runtime's arena shrinks. */
  readonly shrinksArena: boolean
  /**
   * Lets go of the pages of code, and of those of the weight files `files`; see `code-pages.ts` and `file-pages.ts`.
   *
   * @param files by their real paths
   * @param isLoaded whether the runtime still has them mapped; once it has not, their addresses may be another's
   */
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
const anywhere: CallerPlacement = { graph: () => free, work: () => free }
const nothing = async (): Promise<void> => undefined

/** @param tuning which measures are taken; where the system has no such call, a measure does nothing */
export function processTuning(tuning: Tuning): ProcessTuning {
  const taken = (measure: TuningMeasure): boolean => tunes(tuning, measure)
  return {
    shrinksArena: taken('idle-arena'),
    releaseFilePages: async (files, isLoaded = () => true) => {
      if (!taken('code-pages') && !taken('file-pages')) return
      const mappings = await memoryMappings()
      if (taken('code-pages')) releaseCodePages(mappings)
      if (taken('file-pages') && isLoaded()) releaseFilePages(mappings, files)
    },
    releaseCodePages: taken('code-pages') ? async () => releaseCodePages(await memoryMappings()) : nothing,
    releaseFreedMemory: taken('freed-memory') ? releaseFreedMemory : nothing,
    packIntoHugePages: taken('huge-pages') ? packIntoHugePages : nothing,
    threadAffinities: threads => (taken('thread-affinity') ? threadAffinities(threads, usableCpus()) : undefined),
    callers: async () => (taken('calling-threads') ? await CallingThreads.of() : anywhere)
  }
}

/** Takes no measure. */
export const untuned = processTuning(false)
