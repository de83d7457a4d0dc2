import { z } from 'zod'

const PAIRS_MAX = 16

/** What a client files an answer under. */
export const metadataSchema = z
  .record(z.string().max(64), z.string().max(512))
  .refine(pairs => Object.keys(pairs).length <= PAIRS_MAX, { error: `metadata has at most ${PAIRS_MAX} pairs` })
