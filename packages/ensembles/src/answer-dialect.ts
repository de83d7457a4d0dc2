import { safeParse } from '@resultity/interface'
import { z } from 'zod'

/** A choice of an answer, or a piece of one in a stream: what an ensemble reads of it. The rest is passed on. */
export const choiceSchema = z.looseObject({ index: z.int(), finish_reason: z.string().nullish() })
export type Choice = z.infer<typeof choiceSchema>

/** The answer of one model, as its job's result has it. */
export const memberAnswerSchema = z.looseObject({
  object: z.string(),
  choices: z.array(choiceSchema).min(1),
  mesh: z
    .looseObject({
      ttftMs: z.number().optional(),
      tokensPerSecond: z.number().nullish(),
      route: z.array(z.object({ peerId: z.string(), range: z.object({ first: z.int(), end: z.int() }) })).optional()
    })
    .optional()
})
export type MemberAnswer = z.infer<typeof memberAnswerSchema>

/** An event of a model's stream. */
const chunkSchema = z.looseObject({ choices: z.array(choiceSchema) })

/** The pieces that a payload of a model's stream carries: none for what is no chunk. */
export function piecesIn(payload: unknown): readonly Choice[] {
  return safeParse(chunkSchema, payload).data?.choices ?? []
}

/** How an endpoint says things, so that its answers can be compared, judged and put together. */
export interface AnswerDialect {
  /** Of ids of answers. */
  readonly idPrefix: string
  /** `object` of whole answers. */
  readonly object: string
  /** `object` of a stream's chunks. */
  readonly chunkObject: string
  /** @throws MeshError `invalid_request` for what one model may be asked and several may not */
  refuse(request: Readonly<Record<string, unknown>>): void
  /** What was asked, for a judge to read. */
  question(request: Readonly<Record<string, unknown>>): string
  textOf(choice: Choice): string
  /** The choice, a chat completion's or its own, with another text, of whose tokens nothing is known. */
  withText(choice: Choice, text: string): Choice
  /** A whole choice as a stream would have carried it. */
  pieces(choice: Choice): readonly Choice[]
  /** The last piece of a choice whose model failed: clients wait for one. */
  cutOff(index: number): Choice
  /** Whether a piece lets the client see anything. */
  shows(piece: Choice): boolean
  /** Whether the model declined to answer, in a choice or a piece. */
  declines(choice: Choice): boolean
}
