import { readFile } from 'node:fs/promises'

/** Addresses of a process that lie together and have one source. What the system does not say is NaN. */
export interface MemoryMapping {
  readonly address: bigint
  readonly bytes: number
  /** As `rw-p`: may be read, written, executed; the last letter says whether writing reaches the file. */
  readonly permissions: string
  /** The file, `[heap]` and the like, or nothing. */
  readonly path: string
  readonly residentBytes: number
  /** Bytes that are not in the file as they are here, or belong to none; in memory or swapped out. */
  readonly anonymousBytes: number
}

/** In kB, each on a line of its own. */
const RESIDENT = /^Rss: +(\d+) kB/m
const ANONYMOUS = /^Anonymous: +(\d+) kB/m
const SWAPPED = /^Swap: +(\d+) kB/m

/** The mappings of this process. Empty where the system is not Linux or keeps no list: then no memory is saved. */
export async function memoryMappings(): Promise<MemoryMapping[]> {
  return process.platform === 'linux' ? parseMappings(await readFile('/proc/self/smaps', 'utf8').catch(() => '')) : []
}

/** Out of the text of `smaps` (proc_pid_smaps(5)). */
export function parseMappings(smaps: string): MemoryMapping[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap(text => {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/m.exec(text)
    const [, first, end, permissions, path] = head ?? []
    if (first === undefined || end === undefined || permissions === undefined || path === undefined) return []
    const bytesOf = (field: RegExp): number => Number(field.exec(text)?.[1]) * 1024
    const address = BigInt(`0x${first}`)
    return {
      address,
      bytes: Number(BigInt(`0x${end}`) - address),
      permissions,
      path,
      residentBytes: bytesOf(RESIDENT),
      anonymousBytes: bytesOf(ANONYMOUS) + bytesOf(SWAPPED)
    }
  })
}
