import { readFile } from 'node:fs/promises'

/** Resident set of a process in bytes, from /proc; 0 where there is none. */
export async function residentBytes(pid: number): Promise<number> {
  return statusBytes(pid, 'VmRSS')
}

/** The largest that the resident set of a process has been, as {@link residentBytes}. */
export async function peakResidentBytes(pid: number): Promise<number> {
  return statusBytes(pid, 'VmHWM')
}

async function statusBytes(pid: number, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024
}
