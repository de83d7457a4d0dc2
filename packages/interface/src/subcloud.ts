import { z } from 'zod'

/** The label that says where a node is. */
export const REGION_LABEL = 'region'

/** Part of paths and of names of queues. */
export const subcloudNameSchema = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a subcloud is named with 1 to 63 of a-z, 0-9 and - between them')

export const regionSchema = z.string().min(1).max(256)

/** Peer ids. A text that is not a peer id matches no node. */
export const nodeListSchema = z.array(z.string().min(1).max(128)).min(1).max(256)

/** Which nodes are a subcloud: those of which all that is said here is true. */
export const subcloudSchema = z
  .strictObject({
    /** Labels that a node must have, with these values. */
    labels: z
      .record(z.string().min(1).max(63), z.string().max(256))
      .refine(labels => Object.keys(labels).length <= 32, '32 labels at most')
      .optional(),
    /** The value of their label `region`. */
    region: regionSchema.optional(),
    /** Only these, by peer id. */
    nodes: nodeListSchema.optional(),
    /** Models that it serves, each kept placed; without, any model is placed when it is asked for. */
    models: z.array(z.string().min(1).max(512)).min(1).max(64).optional(),
    /** Its nodes serve no one else. Default false. */
    isolated: z.boolean().optional()
  })
  .refine(
    ({ labels, region, nodes }) => Object.keys(labels ?? {}).length > 0 || region !== undefined || nodes !== undefined,
    'a subcloud says which nodes it has: labels, region or nodes'
  )
export type SubcloudDefinition = z.infer<typeof subcloudSchema>
