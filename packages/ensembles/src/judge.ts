import { z } from 'zod'

/** Longest reasons of a judge that picks; models that ramble would go on to the end of their context. */
const REASONS_CHARACTERS_MAX = 1000

/** An answer that the judge is shown. */
export interface Candidate {
  /** Index of its model in the request. */
  readonly index: number
  readonly text: string
}

export interface JudgeTask {
  readonly mode: 'pick' | 'merge'
  /** What makes an answer good; undefined for the usual. */
  readonly instructions: string | undefined
  /** The conversation that was answered, as text. */
  readonly question: string
  readonly candidates: readonly Candidate[]
}

interface JudgeMessage {
  readonly role: 'system' | 'user'
  readonly content: string
}

const USUAL = 'Prefer the answer that is most correct, then the one that is most complete, then the shortest.'

const REPLY = {
  pick: 'Reply with JSON: {"answer": the number of the best answer, "reasons": "why"}.',
  merge:
    'Reply with one answer that keeps what is right in them. Then, on a line that begins with "Reasons:", say what you kept and why.'
} as const

/** What the judge is asked. Answers are numbered from 1, since models count like people. */
export function judgeMessages({ mode, instructions, question, candidates }: JudgeTask): JudgeMessage[] {
  const answers = candidates.map(({ text }, at) => `Answer ${at + 1}:\n${text}`)
  return [
    { role: 'system', content: `You judge answers to a question. ${instructions ?? USUAL}` },
    { role: 'user', content: [`Question:\n${question}`, ...answers, REPLY[mode]].join('\n\n') }
  ]
}

/** The body of the chat completion that has `model` judge. */
export function judgeRequest(model: string, task: JudgeTask): Record<string, unknown> {
  const schema = task.mode === 'pick' ? verdictSchema(task.candidates.length) : undefined
  return {
    model,
    messages: judgeMessages(task),
    temperature: 0,
    ...(schema === undefined
      ? {}
      : { response_format: { type: 'json_schema', json_schema: { name: 'reply', schema, strict: true } } })
  }
}

/** The constraint on a picking judge's reply, so that even small models name an answer. */
export function verdictSchema(candidateCount: number): Record<string, unknown> {
  const answer = { type: 'integer', enum: Array.from({ length: candidateCount }, (_, index) => index + 1) }
  return {
    type: 'object',
    properties: { answer, reasons: { type: 'string', maxLength: REASONS_CHARACTERS_MAX } },
    required: ['answer', 'reasons'],
    additionalProperties: false
  }
}

/** The candidate that the reply names, undefined when it names none, and why. */
export function pickedBy(
  reply: string,
  candidates: readonly Candidate[]
): { readonly picked: Candidate | undefined; readonly reasons: string } {
  const verdict = verdictIn(reply)
  if (verdict !== undefined) return { picked: candidates[verdict.answer - 1], reasons: verdict.reasons }
  // cut off, or from a judge without a constraint: the first number of an answer counts
  for (const [number] of reply.matchAll(/\d+/g)) {
    const picked = candidates[Number(number) - 1]
    if (picked !== undefined) return { picked, reasons: reply }
  }
  return { picked: undefined, reasons: reply }
}

function verdictIn(reply: string): { readonly answer: number; readonly reasons: string } | undefined {
  try {
    return z.object({ answer: z.int(), reasons: z.string() }).parse(JSON.parse(reply))
  } catch {
    return undefined
  }
}

/** A merged answer and why it is as it is. */
export function mergedBy(reply: string): { readonly text: string; readonly reasons: string } {
  const heading = /^[ \t*_#]*reasons?[ \t*_]*:[ \t*_]*/im.exec(reply)
  const text = reply.slice(0, heading?.index).trim()
  // a judge that only gives reasons has given no answer: all it said must do
  if (heading === null || text === '') return { text: reply.trim(), reasons: '' }
  return { text, reasons: reply.slice(heading.index + heading[0].length).trim() }
}
