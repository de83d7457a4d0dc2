import { invalidRequest, safeParse } from '@resultity/interface'
import { z } from 'zod'
import type { AnswerDialect, Choice } from './answer-dialect.ts'

const textSchema = z.looseObject({ text: z.string().catch('') })
const oneText = z.union([z.string(), z.tuple([z.string()]).transform(([text]) => text)])

/** Completions. */
export const completionDialect: AnswerDialect = {
  idPrefix: 'cmpl-',
  object: 'text_completion',
  chunkObject: 'text_completion',
  refuse: ({ prompt }) => {
    // token ids mean something else to each model, and of several prompts each would have answers of its own
    if (prompt === undefined || safeParse(oneText, prompt).success) return
    throw invalidRequest('prompt', 'several models go on with one text', 'Send the prompt as a text, one a request.')
  },
  question: ({ prompt }) => safeParse(oneText, prompt).data ?? '',
  textOf,
  withText: ({ index, finish_reason }, text) => ({ index, text, logprobs: null, finish_reason }),
  pieces: choice => [
    { ...choice, finish_reason: null },
    { index: choice.index, text: '', logprobs: null, finish_reason: choice.finish_reason ?? 'stop' }
  ],
  cutOff: index => ({ index, text: '', logprobs: null, finish_reason: 'length' }),
  shows: piece => piece.finish_reason != null || textOf(piece) !== '',
  declines: choice => choice.finish_reason === 'content_filter'
}

function textOf(choice: Choice): string {
  return textSchema.parse(choice).text
}
