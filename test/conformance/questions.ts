import { readFile } from 'node:fs/promises'

export const MODEL = 'tiny-chat'

/** A question of one turn, and tiny-chat's greedy answer to it. */
export interface Question {
  readonly question: string
  readonly answer: string
}

/** What tiny-chat was trained to say, see its golden.json. */
export async function questions(): Promise<readonly [Question, Question, Question]> {
  const path = new URL('../../../packages/model/models/tiny-chat/golden.json', import.meta.url)
  const golden: { prompt: string; completion: string }[] = JSON.parse(await readFile(path, 'utf8'))
  const [first, second, third] = golden.flatMap(({ prompt, completion }) => {
    const [, question] = /^<s><\|user\|>\n([^<]*)<\|end\|>\n<\|assistant\|>\n$/.exec(prompt) ?? []
    return question === undefined ? [] : [{ question, answer: completion }]
  })
  if (first === undefined || second === undefined || third === undefined) throw new Error('golden.json has no three')
  return [first, second, third]
}

/** An answer that goes on for long whatever the model wants to say. */
export const LONG = { max_tokens: 400, ignore_eos: true } as const

/** What `work` fails with. */
export async function failureOf(work: PromiseLike<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('this should have failed')
}
