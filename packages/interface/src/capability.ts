import { z } from 'zod'
import { layerRangeSchema } from './layer-range.ts'
import { sha256Schema } from './model-recipe.ts'
import { OFFERED_MODELS_MAX, offeredModelSchema } from './offered-model.ts'
import { shown } from './shown-text.ts'

const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, 'letters, digits, and . _ / - inside, 63 at most')

const gpuSchema = z.object({
  vendor: shown(128),
  model: shown(256),
  memoryBytes: z.int().nonnegative()
})

/** A stage this node serves now. */
const servedStageSchema = z.object({
  placementId: shown(64),
  manifest: sha256Schema,
  range: layerRangeSchema,
  /** Measured milliseconds of one decode step on one layer; 0 until measured. */
  decodeMsPerLayer: z.number().nonnegative(),
  sessionsOpen: z.int().nonnegative(),
  sessionsMax: z.int().positive()
})

/**
 * A node's statement of what it has and how loaded it is. Travels sealed in a signed envelope; valid until
 * `expiresAtMs`, and only if `sequence` is higher than that of the last one seen from the same peer.
 */
export const advertSchema = z.object({
  version: z.literal(1),
  peerId: shown(128).min(1),
  sequence: z.int().nonnegative(),
  /** Unix time in milliseconds. */
  issuedAtMs: z.int().nonnegative(),
  expiresAtMs: z.int().nonnegative(),
  agentVersion: shown(64),
  multiaddrs: z.array(shown(512)).max(16),
  hardware: z.object({
    platform: shown(64),
    architecture: shown(64),
    cpuModel: shown(256),
    cpuCores: z.int().positive().max(65_536),
    memoryBytes: z.int().positive(),
    gpus: z.array(gpuSchema).max(64),
    executionProviders: z.array(shown(64)).max(32)
  }),
  /** Bytes this node offers for weights and KV caches, in all. */
  memoryOfferedBytes: z.int().nonnegative(),
  /** Of these, bytes not yet given to a placement. */
  memoryFreeBytes: z.int().nonnegative(),
  /** Measured on this machine with a fixed probe: milliseconds to multiply one position by 100 million weights. */
  probeMsPer100M: z.number().nonnegative(),
  /** SHA-256 of the probe's results: nodes with the same one compute alike, to the last bit. */
  kernels: sha256Schema.optional(),
  threads: z.int().positive().max(4096),
  labels: z.record(label, shown(256)).refine(labels => Object.keys(labels).length <= 32, {
    message: 'at most 32 labels'
  }),
  stages: z.array(servedStageSchema).max(256),
  /** Models of servers beside it, to which it passes requests on. */
  offered: z.array(offeredModelSchema).max(OFFERED_MODELS_MAX).optional(),
  /** It is about to leave: it takes nothing new, and what it has is to go elsewhere. */
  draining: z.boolean().optional()
})
export type Advert = z.infer<typeof advertSchema>
export type ServedStage = z.infer<typeof servedStageSchema>
