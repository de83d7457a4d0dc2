import type { z } from 'zod'
import type { ErrorReply } from './error-reply.ts'

/** How the errors of a route are written, where its clients expect another form than OpenAI's. */
export interface ErrorFormat {
  readonly schema: z.ZodType
  /** The body of an error answer. */
  write(reply: ErrorReply, requestId: string): Readonly<Record<string, unknown>>
}
