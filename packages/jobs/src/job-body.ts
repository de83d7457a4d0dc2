import type { Job, JsonValue } from '@resultity/store'
import { z } from 'zod'

/** A job's body in the store: the request, and how its client waits for it. */
const jobBodySchema = z.object({
  request: z.custom<JsonValue>(value => value !== undefined),
  /** The client reads the answer as it comes. */
  streamed: z.boolean(),
  /** It goes on without its client, so its log is kept as carefully as its result. */
  detached: z.boolean()
})
export type JobBody = z.infer<typeof jobBodySchema>

/** @throws ZodError when another version of this software stored it */
export function jobBodyOf(job: Job): JobBody {
  return jobBodySchema.parse(job.body)
}
