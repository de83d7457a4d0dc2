import { z } from 'zod'
import type { AnswerFacts, RelayReport } from './relay-dialect.ts'

/** What the API says of an answer that is passed on. */
export function relayedSchemaOf(id: string, members: Readonly<Record<string, z.ZodType>>): z.ZodType {
  return z
    .looseObject({
      id: z.string(),
      created: z.int(),
      model: z.string(),
      ...members,
      mesh: z.looseObject({ upstream: z.looseObject({ peerId: z.string() }) }).optional()
    })
    .meta({ id })
}

/** The node beside which the server is that answered. */
export function reportOf({ peerId }: AnswerFacts): RelayReport {
  return { upstream: { peerId } }
}
