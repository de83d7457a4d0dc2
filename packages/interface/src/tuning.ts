/**
 * What is done around the runtime, libp2p and the system for speed and memory. Each is a file of this name in
 * `runtime-tuning/src`, `mesh/src/tuning` or, `idle-arena`, in `engine/src/capi/idle-memory.ts`. No answer depends on any.
 */
export const tuningMeasures = [
  'file-pages',
  'code-pages',
  'freed-memory',
  'idle-arena',
  'huge-pages',
  'thread-affinity',
  'calling-threads',
  'joined-writes',
  'rare-grants',
  'frame-cipher',
  'emptied-decoder'
] as const

export type TuningMeasure = (typeof tuningMeasures)[number]

/** True for all measures, false for none, else those that are taken. It concerns the whole process. */
export type Tuning = boolean | ReadonlySet<TuningMeasure>

/** Whether `measure` is taken. */
export function tunes(tuning: Tuning | undefined, measure: TuningMeasure): boolean {
  return typeof tuning === 'object' ? tuning.has(measure) : tuning === true
}

const LEAVING_OUT = 'off='

/** Reads `on`, `off`, or `off=NAME,NAME`, which leaves out these measures. @returns undefined for any other text */
export function parseTuning(text: string): Tuning | undefined {
  if (text === 'on') return true
  if (text === 'off') return false
  if (!text.startsWith(LEAVING_OUT)) return undefined
  const left = new Set<string>(text.slice(LEAVING_OUT.length).split(','))
  const taken = tuningMeasures.filter(measure => !left.delete(measure))
  return left.size === 0 ? new Set(taken) : undefined
}
