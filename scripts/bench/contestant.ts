/** Speeds of one measurement, in tokens per second. */
export interface Sample {
  readonly prefill: number
  readonly decode: number
  /** Prompt sent to first token received, in milliseconds. */
  readonly firstTokenMs: number
}

export interface Workload {
  readonly promptTokens: number
  readonly decodeTokens: number
}

/** Resident memory of one process, against what it holds. */
export interface ResidentMemory {
  readonly name: string
  readonly residentBytes: number
  readonly weightBytes: number
}

/** Something that generates tokens and can be measured again and again, so that rounds can be interleaved. */
export interface Contestant extends AsyncDisposable {
  readonly name: string
  measure(): Promise<Sample>
  memory(): Promise<ResidentMemory[]>
}

/** The middle value; the mean of the two middle ones of an even count. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
