import { layerRangeSchema } from '@resultity/interface'
import { z } from 'zod'

// The parts of the API's answers that the command shows. The coordinator may add fields, which pass through to
// `--json`.

export const modelsSchema = z.looseObject({
  data: z.array(
    z.looseObject({
      id: z.string(),
      kind: z
        .enum(['decoder', 'encoder', 'classifier', 'speech', 'voice', 'captioner', 'diffusion', 'upstream'])
        .default('decoder'),
      /** Set for an ensemble, which has no layers of its own. */
      ensemble: z.unknown().optional()
    })
  )
})
export type ApiModel = z.infer<typeof modelsSchema>['data'][number]

/** Whether nodes are given its layers: an ensemble has none of its own, and a server beside a node has its models itself. */
export function isPlaced({ ensemble, kind }: ApiModel): boolean {
  return ensemble === undefined && kind !== 'upstream'
}

export const nodesSchema = z.looseObject({
  data: z.array(
    z.looseObject({
      peerId: z.string(),
      threads: z.int(),
      memoryOfferedBytes: z.int(),
      memoryFreeBytes: z.int(),
      labels: z.record(z.string(), z.string()),
      subclouds: z.array(z.string()).default([]),
      draining: z.boolean().default(false),
      /** Models of servers beside it. */
      offered: z
        .array(z.looseObject({ name: z.string(), contextLength: z.int().optional(), endpoints: z.array(z.string()) }))
        .default([]),
      hardware: z.looseObject({ cpuModel: z.string() }),
      /** Of an older coordinator nothing is known. */
      kernels: z.string().nullable().default(null)
    })
  )
})
export type ApiNode = z.infer<typeof nodesSchema>['data'][number]

export const placementsSchema = z.looseObject({
  data: z.array(
    z.looseObject({
      id: z.string(),
      model: z.string(),
      subcloud: z.string().nullable().default(null),
      state: z.string(),
      stages: z.array(
        z.looseObject({
          peerId: z.string(),
          range: layerRangeSchema,
          state: z.string(),
          bytesDone: z.int().optional(),
          bytesTotal: z.int().optional(),
          unreachedPeer: z.string().nullable().default(null),
          error: z.string().nullable().default(null),
          selfTestSha256: z.string().nullable().default(null)
        })
      )
    })
  )
})
export type ApiPlacement = z.infer<typeof placementsSchema>['data'][number]

/** Pairs of nodes that are not put beside each other. */
export const linksSchema = z.looseObject({
  data: z.array(z.looseObject({ peers: z.tuple([z.string(), z.string()]), why: z.string(), forMs: z.number() }))
})
export type ApiLink = z.infer<typeof linksSchema>['data'][number]

export const planSchema = z.looseObject({
  msPerToken: z.number(),
  tokensPerSecond: z.number(),
  bytesToMove: z.int(),
  stages: z.array(
    z.looseObject({
      peerId: z.string(),
      range: layerRangeSchema,
      memoryBytes: z.int(),
      ms: z.number(),
      hopMs: z.number()
    })
  )
})
export type ApiPlan = z.infer<typeof planSchema>

export const apiKeySchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  namespace: z.string(),
  scopes: z.array(z.string()),
  limits: z.record(z.string(), z.unknown()),
  created_at: z.int(),
  expires_at: z.int().nullable(),
  revoked_at: z.int().nullable(),
  last_used_at: z.int().nullable()
})
export type ApiKeyView = z.infer<typeof apiKeySchema>

export const createdKeySchema = apiKeySchema.extend({ key: z.string() })
export type ApiCreatedKey = z.infer<typeof createdKeySchema>

export const keysSchema = z.looseObject({ data: z.array(apiKeySchema), has_more: z.boolean() })

/** A new key for the admin API; its defaults apply to missing fields. */
export interface NewKey {
  readonly name?: string
  readonly namespace?: string
  readonly scopes?: readonly string[]
  readonly limits?: Readonly<Record<string, unknown>>
  readonly subclouds?: readonly string[]
  readonly expires_at?: number
}

export const inviteSchema = z.looseObject({
  id: z.string(),
  label: z.string().nullable(),
  created_at: z.int(),
  expires_at: z.int(),
  uses: z.int(),
  uses_max: z.int().nullable(),
  revoked_at: z.int().nullable()
})
export type ApiInvite = z.infer<typeof inviteSchema>

export const createdInviteSchema = inviteSchema.extend({ token: z.string() })
export type ApiCreatedInvite = z.infer<typeof createdInviteSchema>

export const invitesSchema = z.looseObject({ data: z.array(inviteSchema) })

export const invitedNodesSchema = z.looseObject({
  data: z.array(z.looseObject({ peer_id: z.string(), invite: z.string(), joined_at: z.int() }))
})
export type ApiInvitedNode = z.infer<typeof invitedNodesSchema>['data'][number]

export const removedNodeSchema = z.looseObject({ peer_id: z.string() })

/** A new invite for the admin API; its defaults apply to missing fields. */
export interface NewInvite {
  readonly label?: string
  /** Null: any number of nodes. */
  readonly uses?: number | null
  readonly expires_in_seconds?: number
}

export const errorSchema = z.looseObject({
  error: z.looseObject({ message: z.string(), code: z.string().nullish() })
})

/** One event of a streamed chat completion. */
export const chunkSchema = z.looseObject({
  choices: z.array(
    z.looseObject({
      delta: z.looseObject({ content: z.string().nullish() }),
      finish_reason: z.string().nullish()
    })
  ),
  usage: z.looseObject({ prompt_tokens: z.int(), completion_tokens: z.int() }).nullish()
})
