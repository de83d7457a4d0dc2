import fc from 'fast-check'
import { type Body, withOddFields } from './chat-ideas.ts'
import { type Idea, post, SERVED } from './hostile-case.ts'
import { mostly, type Scale, someOf } from './scale.ts'
import { hostileText } from './texts.ts'
import { hostileValue } from './values.ts'

const rerank: Body = { model: SERVED.encoder, query: 'a', documents: ['b', 'c'] }
const score: Body = { model: SERVED.encoder, text_1: 'a', text_2: ['b', 'c'] }
const RERANK_FIELDS = ['model', 'query', 'documents', 'top_n', 'return_documents', 'truncate_prompt_tokens', 'mesh']
const SCORE_FIELDS = ['model', 'text_1', 'text_2', 'truncate_prompt_tokens', 'store', 'mesh']

function texts(scale: Scale): fc.Arbitrary<unknown> {
  const text = hostileText({ ...scale, characters: Math.ceil(scale.characters / 8) })
  return fc.oneof(
    text,
    fc.array(fc.oneof(text, fc.record({ text })), { maxLength: 8 }),
    someOf(Math.min(scale.width, 2_100)).map(length => Array.from({ length }, (_, index) => `number ${index}`))
  )
}

const scores: Idea = {
  name: 'scores',
  weight: 3,
  drafts: scale => {
    const truncate_prompt_tokens = fc.constantFrom(undefined, -1, 4, 0)
    const text = mostly(hostileText(scale), hostileValue(scale))
    return fc.oneof(
      fc
        .record({ query: text, documents: texts(scale), top_n: fc.constantFrom(1, 0, 9_999), truncate_prompt_tokens })
        .map(fields => post('/v1/rerank', { ...rerank, ...fields })),
      fc
        .record({ text_1: texts(scale), text_2: texts(scale), truncate_prompt_tokens })
        .map(fields => post('/v1/score', { ...score, ...fields })),
      texts(scale).map(input => post('/v1/moderations', { input })),
      withOddFields(rerank, RERANK_FIELDS, scale).map(body => post('/v2/rerank', body)),
      withOddFields(score, SCORE_FIELDS, scale).map(body => post('/score', body))
    )
  }
}

/** Of what scores texts. */
export const scoreIdeas: readonly Idea[] = [scores]
