import type { StreamView } from '@resultity/jobs'
import type { JobEvent } from '@resultity/store'
import type { TokenLogprob, TranscriptTokenUsage } from './transcription-schema.ts'

/** Entries of a log: a segment's text, and the end. */
export const DELTA = 'delta'
export const DONE = 'done'

/** The data of an entry of the type {@link DELTA}. */
export type DeltaEntry = {
  readonly delta: string
  readonly logprobs?: readonly TokenLogprob[]
}

/** The data of an entry of the type {@link DONE}. */
export type DoneEntry = {
  readonly text: string
  readonly logprobs?: readonly TokenLogprob[]
  readonly usage: TranscriptTokenUsage
}

/** The log of a transcription as OpenAI streams it. */
export function transcriptView(): StreamView {
  return {
    begin: () => [],
    render: ({ type, data }: JobEvent) => {
      if (type === DELTA) return [{ type: 'transcript.text.delta', ...(data as object) }]
      return type === DONE ? [{ type: 'transcript.text.done', ...(data as object) }] : []
    },
    end: () => []
  }
}
