import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { safeParse } from '@resultity/interface'
import { z } from 'zod'

const FILE = 'drain.json'

const drainReportSchema = z.object({
  pid: z.int().positive(),
  /** `drained`: nothing was left. `deadline`: the rest was cut off. */
  state: z.enum(['draining', 'drained', 'deadline']),
  /** Placements that its coordinators have not released yet. */
  placements: z.int().nonnegative(),
  /** Answers and jobs that run on them. */
  running: z.int().nonnegative()
})

/** How far a node is that was asked to stop; in its data directory, for whoever waits for it. */
export type DrainReport = z.infer<typeof drainReportSchema>

/** Replaces the report as a whole: a reader never sees half of one. */
export async function writeDrainReport(directory: string, report: DrainReport): Promise<void> {
  const path = join(directory, FILE)
  await writeFile(`${path}.new`, `${JSON.stringify(report)}\n`)
  await rename(`${path}.new`, path)
}

/** The report of this process; undefined when it has written none. */
export async function readDrainReport(directory: string, pid: number): Promise<DrainReport | undefined> {
  const text = await readFile(join(directory, FILE), 'utf8').catch(() => '')
  const report = safeParse(drainReportSchema, parseJson(text))
  return report.success && report.data.pid === pid ? report.data : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // there is none
    return undefined
  }
}
