import { layerRangeSchema, offeredModelSchema, strategies } from '@resultity/interface'
import { z } from 'zod'

const nodeStage = z.object({
  placementId: z.string(),
  /** Name of the model, or its manifest's hash when this coordinator does not serve it. */
  model: z.string(),
  range: layerRangeSchema,
  decodeMsPerLayer: z.number(),
  sessionsOpen: z.int(),
  sessionsMax: z.int()
})

export const nodeSchema = z
  .object({
    peerId: z.string(),
    agentVersion: z.string(),
    multiaddrs: z.array(z.string()),
    hardware: z.object({
      platform: z.string(),
      architecture: z.string(),
      cpuModel: z.string(),
      cpuCores: z.int(),
      memoryBytes: z.int(),
      gpus: z.array(z.object({ vendor: z.string(), model: z.string(), memoryBytes: z.int() })),
      executionProviders: z.array(z.string())
    }),
    memoryOfferedBytes: z.int(),
    memoryFreeBytes: z.int(),
    probeMsPer100M: z.number(),
    /** SHA-256 of fixed results: nodes with the same one compute alike, to the last bit. Null: it did not say. */
    kernels: z.string().nullable(),
    threads: z.int(),
    labels: z.record(z.string(), z.string()),
    /** Names of subclouds that it is of. */
    subclouds: z.array(z.string()),
    stages: z.array(nodeStage),
    /** Models of servers beside it. */
    offered: z.array(offeredModelSchema),
    /** It is about to leave: its answers and layers go to others. */
    draining: z.boolean(),
    /** Unix milliseconds. */
    joinedAtMs: z.int(),
    lastSeenMs: z.int()
  })
  .meta({ id: 'Node' })

export const placementSchema = z
  .object({
    id: z.string(),
    model: z.string(),
    manifestSha256: z.string(),
    /** The subcloud that it was made in; null: for everybody. */
    subcloud: z.string().nullable(),
    purpose: z.enum(['default', 'on-demand']),
    state: z.enum(['loading', 'ready', 'draining', 'broken', 'released']),
    contextLength: z.int(),
    sessionsOpen: z.int(),
    sessionsMax: z.int(),
    predictedMsPerToken: z.number(),
    createdAtMs: z.int(),
    lastUsedAtMs: z.int(),
    stages: z.array(
      z.object({
        peerId: z.string(),
        range: layerRangeSchema,
        state: z.enum(['assigned', 'fetching', 'building', 'testing', 'linking', 'ready', 'failed', 'released']),
        memoryBytes: z.int(),
        bytesDone: z.int(),
        bytesTotal: z.int(),
        decodeMsPerLayer: z.number(),
        /** While it is `linking`: the node of the next stage, when it was not reached; it is tried on. */
        unreachedPeer: z.string().nullable(),
        /** Why it failed, or does not reach the next stage. */
        error: z.string().nullable(),
        /** SHA-256 of the self-test's results: the same on nodes that compute these layers alike. Null until ready. */
        selfTestSha256: z.string().nullable()
      })
    )
  })
  .meta({ id: 'Placement' })

export const bannedLinkSchema = z
  .object({
    /** Nothing passes between these two. */
    peers: z.tuple([z.string(), z.string()]),
    why: z.string(),
    /** So often in a row. */
    count: z.int(),
    /** For so long they are not put beside each other. */
    forMs: z.int()
  })
  .meta({ id: 'BannedLink' })

export const planSchema = z
  .object({
    model: z.string(),
    msPerToken: z.number(),
    tokensPerSecond: z.number(),
    bottleneckMs: z.number(),
    /** Weights that nodes would still have to fetch. */
    bytesToMove: z.int(),
    stages: z.array(
      z.object({
        peerId: z.string(),
        range: layerRangeSchema,
        memoryBytes: z.int(),
        ms: z.number(),
        /** To the next stage. */
        hopMs: z.number()
      })
    )
  })
  .meta({ id: 'Plan' })

export const planQuerySchema = z.looseObject({
  model: z.string(),
  subcloud: z.string().max(64).optional(),
  stages: z.union([z.literal('auto'), z.coerce.number().int().min(1).max(1024)]).optional()
})

export const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int(),
    owned_by: z.string(),
    /** Of a server's model: where the server says it. */
    contextLength: z.int().optional(),
    /** Of a model, not of an ensemble. */
    layers: z.int().optional(),
    manifestSha256: z.string().optional(),
    /**
     * A decoder generates text, an encoder gives embeddings, a classifier scores, speech is written by a model of its own, and a
     * voice says texts. An upstream is a model of a server beside a node: only that knows more of it.
     */
    kind: z.enum(['decoder', 'encoder', 'classifier', 'speech', 'voice', 'captioner', 'diffusion', 'upstream']),
    /** Of a decoder that reads pictures too. */
    input_modalities: z.array(z.enum(['text', 'image'])).optional(),
    /** Of an upstream: where it may be asked, and the nodes that have it. */
    endpoints: z.array(z.string()).optional(),
    nodes: z.array(z.string()).optional(),
    /** Of an ensemble: whom it asks. */
    ensemble: z.object({ models: z.array(z.string()), strategy: z.enum(strategies) }).optional()
  })
  .meta({ id: 'Model' })

export const healthSchema = z.object({ status: z.string() }).meta({ id: 'Health' })

/** Paths of this server, by what they are for. */
export const aboutSchema = z
  .object({
    name: z.string(),
    description: z.string(),
    api: z.string(),
    docs: z.string(),
    openapi: z.string(),
    health: z.string(),
    ready: z.string()
  })
  .meta({ id: 'About' })
