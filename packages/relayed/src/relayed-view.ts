import type { StreamView } from '@resultity/jobs'
import { CHOICE, toTokenUsage } from '@resultity/openai'
import type { JobEvent } from '@resultity/store'

/**
 * Pieces as they came, usage for clients that asked for it, `[DONE]`.
 * @param head of every payload
 */
export function relayedView(head: Readonly<Record<string, unknown>>, includeUsage: boolean): StreamView {
  return {
    begin: () => [],
    render: ({ type, data }: JobEvent) =>
      type === CHOICE ? [{ ...head, choices: [data], ...(includeUsage ? { usage: null } : {}) }] : [],
    end: ({ usage }) =>
      includeUsage && usage !== null ? [{ ...head, choices: [], usage: toTokenUsage(usage) }, '[DONE]'] : ['[DONE]']
  }
}
