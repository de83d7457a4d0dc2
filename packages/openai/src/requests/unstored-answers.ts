import type { JobRuntime } from '@resultity/jobs'
import { isFinal, type Job, type JobStore } from '@resultity/store'
import type { FastifyReply } from 'fastify'
import type { Logger } from 'pino'

export interface UnstoredAnswerComponents {
  readonly runtime: JobRuntime
  readonly store: JobStore
  readonly logger: Logger
}

/**
 * An answer that its client does not want kept goes when the client has it, and when the client is gone and nothing
 * else may fetch it. What is left over, as after a crash, goes soon after its end.
 *
 * @param attached whether it ends with its client's connection
 */
export function forgetOnceDelivered(
  { runtime, store, logger }: UnstoredAnswerComponents,
  { id, unstored }: Job,
  reply: FastifyReply,
  attached: boolean
): void {
  if (unstored !== true) return
  const forget = async (): Promise<void> => {
    if (attached) await runtime.untilEnd(id)
    // half an answer, or word that there is none yet, is no delivery
    else if (!reply.raw.writableFinished || !isFinal((await store.get(id))?.state ?? 'succeeded')) return
    await store.remove(id)
  }
  reply.raw.once('close', () => {
    forget().catch((err: unknown) =>
      logger.warn({ err, jobId: id }, 'an answer that is not to be kept was not removed yet')
    )
  })
}
