import { z } from 'zod'

/** The body of every error answer. */
export const errorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable()
    })
  })
  .meta({ id: 'Error' })
