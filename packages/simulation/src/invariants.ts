import type { MeshParts } from '@resultity/coordinator'
import type { JobRuntime } from '@resultity/jobs'
import type { SimulatedNode } from './simulated-node.ts'
import { Violation } from './violation.ts'

/** What holds after every step. @throws Violation */
export function requireBounds({ director, driver }: MeshParts): void {
  let taken = 0
  for (const { id, sessionsOpen, model } of director.table.all()) {
    if (sessionsOpen < 0 || sessionsOpen > model.sessionsMax) {
      throw new Violation(`placement ${id} has ${sessionsOpen} sessions of ${model.sessionsMax}`)
    }
    taken += sessionsOpen
  }
  // sessions of placements that were released hold no slot that anybody else could have
  if (taken > driver.active) throw new Violation(`${taken} slots are taken, by ${driver.active} generations`)
}

/** What is still held though no request is under way: undefined when nothing is. */
export function whatIsLeft(
  { driver, leases, director }: MeshParts,
  { running, queued }: Pick<JobRuntime, 'running' | 'queued'>,
  nodes: readonly SimulatedNode[]
): string | undefined {
  if (running > 0) return `${running} jobs run`
  if (queued.interactive + queued.batch > 0) return `${queued.interactive + queued.batch} jobs wait`
  if (driver.active > 0) return `the driver has ${driver.active} generations`
  if (leases.waiting > 0) return `${leases.waiting} requests wait for a slot`
  const placement = director.table.all().find(({ sessionsOpen }) => sessionsOpen > 0)
  if (placement !== undefined) return `placement ${placement.id} has ${placement.sessionsOpen} slots taken`
  for (const { name, sessionsOpen, sessionsParked, sentLogBytes } of nodes) {
    if (sessionsOpen > 0) return `${name} has ${sessionsOpen} sessions open`
    if (sessionsParked > 0) return `${name} has ${sessionsParked} sessions parked`
    if (sentLogBytes > 0) return `${name} holds ${sentLogBytes} bytes of what sessions have sent`
  }
  return undefined
}
