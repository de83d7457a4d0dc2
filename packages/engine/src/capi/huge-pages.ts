import { readFile } from 'node:fs/promises'
import { Advice, adviseAsync } from './memory-advice.ts'

const HUGE_PAGE_BYTES = 2 * 1024 * 1024
/** A mapping with more than a little that was never touched would take that memory too. */
const TOUCHED_MIN = 0.98

export interface Mapping {
  readonly address: bigint
  readonly bytes: number
}

/**
 * Moves the weights that loading has packed into huge pages, so that the sweep over them, once for every token, does
 * not wait for the processor to look up each 4 KB of it. Does nothing where the system has none, or is not Linux.
 */
export async function packIntoHugePages(): Promise<void> {
  if (process.platform !== 'linux') return
  for (const { address, bytes } of filledMappings(await readFile('/proc/self/smaps', 'utf8'))) {
    await adviseAsync(address, bytes, Advice.hugePage)
    await adviseAsync(address, bytes, Advice.collapse)
  }
}

/** The large mappings of a process that no file lies behind and that are filled, out of its `smaps`. */
export function filledMappings(smaps: string): Mapping[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap(text => {
    const [, first, end] = /^([0-9a-f]+)-([0-9a-f]+) rw-p [0-9a-f]+ 00:00 0 *(?:\[heap\])?$/m.exec(text) ?? []
    if (first === undefined || end === undefined) return []
    const address = BigInt(`0x${first}`)
    const bytes = Number(BigInt(`0x${end}`) - address)
    const residentBytes = Number(/^Rss: +(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024
    return bytes >= HUGE_PAGE_BYTES && residentBytes >= TOUCHED_MIN * bytes ? [{ address, bytes }] : []
  })
}
