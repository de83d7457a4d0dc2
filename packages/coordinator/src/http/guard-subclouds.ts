import { requireSubcloud } from '@resultity/access'
import { subcloudOf } from '@resultity/api-kit'
import type { Subclouds } from '@resultity/placement'
import type { FastifyInstance } from 'fastify'

/** Refuses paths of subclouds that there are not, or not for this key. */
export function guardSubclouds(server: FastifyInstance, subclouds: Subclouds): void {
  server.addHook('preValidation', async request => {
    const name = subcloudOf(request)
    if (name === undefined) return
    requireSubcloud(request.caller, name)
    subclouds.find(name)
  })
}
