import { errorCodes } from '@resultity/interface'
import { z } from 'zod'

/** Messages from a daemon to the process that started it, over Node's IPC channel. */
export const childMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('progress'),
    /** The step in progress: "downloading smollm2-135m". */
    text: z.string(),
    /** Between 0 and 1; left out where the end is unknown. */
    fraction: z.number().optional()
  }),
  z.object({ type: z.literal('notice'), text: z.string() }),
  z.object({
    type: z.literal('error'),
    code: z.enum(errorCodes),
    message: z.string(),
    hint: z.string().optional()
  })
])
export type ChildMessage = z.infer<typeof childMessageSchema>

/** Sends to the parent when there is one that listens; a daemon started by hand has none. */
export function tellParent(message: ChildMessage): void {
  if (process.connected) process.send?.(message)
}
