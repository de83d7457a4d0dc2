// What: gives each thread of a run a CPU of its own where there are as many threads as CPUs.
// Measured: SmolLM2 in four stages of one process, with a pause before each run: 20.2 ms a token free, 15.1 bound; over
// libp2p better in two of three pairs; docs/engine.md, "A CPU for each thread".
// Upstream: none needed, it is an option of the runtime. It would go if the runtime woke its threads on idle CPUs.

import { readFileSync } from 'node:fs'

/** CPUs that a list of the kernel names, such as `0-2,7`; see cpuset(7), "List format". */
export function parseCpuList(list: string): number[] {
  return list.split(',').flatMap(part => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? []
    if (first === undefined) return []
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index)
  })
}

/** The CPUs this process may run on; none where the system does not say. */
export function usableCpus(): number[] {
  if (process.platform !== 'linux') return []
  const status = readFileSync('/proc/self/status', 'utf8')
  return parseCpuList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '')
}

/**
 * A CPU for each thread that helps the calling one, in the runtime's format: CPUs numbered from 1, split by semicolons.
 *
 * Only where there are as many threads as CPUs: the system may wake two threads on one CPU and leave another idle, for
 * as long as a run of a few milliseconds takes. With fewer threads than CPUs it must be free to move them.
 */
export function threadAffinities(threads: number, cpus: readonly number[]): string | undefined {
  if (threads < 2 || threads !== cpus.length) return undefined
  return cpus
    .slice(1)
    .map(cpu => cpu + 1)
    .join(';')
}
