import { readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { residentBytes } from '@resultity/testkit'

export interface WatchedProcess {
  readonly name: string
  readonly pid: number
}

export interface ProcessSample {
  /** From the watch's begin. */
  readonly atMs: number
  readonly residentBytes: number
  readonly openFiles: number
}

/** One process over a whole run. */
export interface ProcessReport {
  readonly name: string
  readonly died: boolean
  readonly startBytes: number
  readonly middleBytes: number
  readonly endBytes: number
  readonly peakBytes: number
  /** Of a line through the second half of the run: what it would grow by in an hour. */
  readonly growthBytesPerHour: number
  readonly openFilesAtStart: number
  readonly openFilesAtPeak: number
  readonly openFilesAtEnd: number
}

const INTERVAL_MS = 500

/** Samples processes until it is stopped. Linux only: elsewhere all samples are 0. */
export class ProcessWatch {
  readonly #processes: readonly WatchedProcess[]
  readonly #samples = new Map<string, ProcessSample[]>()
  readonly #startedMs = performance.now()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  constructor(processes: readonly WatchedProcess[]) {
    this.#processes = processes
    for (const { name } of processes) this.#samples.set(name, [])
    this.#running = this.#run()
  }

  /** One more sample, so that the end is seen; then reports. */
  async stop(): Promise<ProcessReport[]> {
    this.#stop.abort()
    await this.#running
    await this.#sample()
    return this.#processes.map(({ name, pid }) => summarise(name, !isAlive(pid), this.#samples.get(name) ?? []))
  }

  get died(): string[] {
    return this.#processes.filter(({ pid }) => !isAlive(pid)).map(({ name }) => name)
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#sample()
      await delay(INTERVAL_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined)
    }
  }

  async #sample(): Promise<void> {
    for (const { name, pid } of this.#processes) {
      const sample = {
        atMs: performance.now() - this.#startedMs,
        residentBytes: await residentBytes(pid),
        openFiles: await openFiles(pid)
      }
      if (sample.residentBytes > 0) this.#samples.get(name)?.push(sample)
    }
  }
}

export async function openFiles(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`).catch(() => [])).length
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    // no such process
    return false
  }
}

/** The same of the same samples. */
export function summarise(name: string, died: boolean, samples: readonly ProcessSample[]): ProcessReport {
  const resident = samples.map(sample => sample.residentBytes)
  const half = samples.slice(Math.floor(samples.length / 2))
  const tail = resident.slice(-5)
  return {
    name,
    died,
    startBytes: resident[0] ?? 0,
    middleBytes: half[0]?.residentBytes ?? 0,
    endBytes: tail.reduce((sum, bytes) => sum + bytes, 0) / Math.max(1, tail.length),
    peakBytes: Math.max(0, ...resident),
    growthBytesPerHour: slope(half) * 3_600_000,
    openFilesAtStart: samples[0]?.openFiles ?? 0,
    openFilesAtPeak: Math.max(0, ...samples.map(sample => sample.openFiles)),
    openFilesAtEnd: samples.at(-1)?.openFiles ?? 0
  }
}

/** Of the line of least squares, in bytes a millisecond; 0 for fewer than two samples. */
function slope(samples: readonly ProcessSample[]): number {
  const count = samples.length
  if (count < 2) return 0
  const meanAt = samples.reduce((sum, { atMs }) => sum + atMs, 0) / count
  const meanBytes = samples.reduce((sum, sample) => sum + sample.residentBytes, 0) / count
  let covariance = 0
  let variance = 0
  for (const { atMs, residentBytes: bytes } of samples) {
    covariance += (atMs - meanAt) * (bytes - meanBytes)
    variance += (atMs - meanAt) ** 2
  }
  return variance === 0 ? 0 : covariance / variance
}
