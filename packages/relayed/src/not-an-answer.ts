import { MeshError, safeParse } from '@resultity/interface'
import type { z } from 'zod'

/** @throws MeshError `protocol_violation` saying what a server's answer is not */
export function readAnswer<T extends z.ZodType>(schema: T, answer: unknown, what: string): z.infer<T> {
  const read = safeParse(schema, answer)
  if (read.success) return read.data
  const [issue] = read.error.issues
  throw notAnAnswer(what, issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`)
}

/** A node passed on what is no answer. */
export function notAnAnswer(what: string, why = ''): MeshError {
  return new MeshError('protocol_violation', `a server\u2019s answer is no ${what}${why === '' ? '' : ` (${why})`}`, {
    hint: 'The server beside the node speaks another API, or fails. The node\u2019s log names it.'
  })
}
