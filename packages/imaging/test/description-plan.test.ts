import { readFileSync } from 'node:fs'
import type { ServedCaptioner } from '@resultity/placement'
import { placeableCaptioner } from '@resultity/test-nodes'
import { createEncoderTokenizer } from '@resultity/tokenizer'
import t from 'tap'
import { toDescriptionPlan } from '../src/description/description-plan.ts'
import { type DescriptionRequest, descriptionRequestSchema } from '../src/description/description-schema.ts'

const definition = readFileSync(new URL('../../../blip/test/fixtures/tiny-captioner/tokenizer.json', import.meta.url))

function model(task: 'caption' | 'answer' = 'caption'): ServedCaptioner {
  const placeable = placeableCaptioner(task)
  if (placeable.manifest.architecture !== 'blip') throw new Error('it is none')
  const { config } = placeable.manifest
  const tokenizer = createEncoderTokenizer(definition, {
    vocabularySize: config.vocabularySize,
    contextLength: config.textContext
  })
  return { kind: 'captioner', id: 'blip', aliases: [], placeable, createdAt: 0, config, tokenizer }
}

const plan = (body: object, task?: 'caption' | 'answer') =>
  toDescriptionPlan(descriptionRequestSchema.parse({ image: 'file-1', ...body }), model(task))

t.test('a caption begins as it is asked to, and an answer is given a question', async t => {
  const words = model().tokenizer.encode('a photography of')
  const caption = plan({ prompt: ' a photography of ', seed: -1, temperature: 0.5 })
  t.strictSame(caption, {
    image: 'file-1',
    param: 'image',
    settings: {
      prompt: words.slice(1, -1),
      // of the 40 tokens of a text, one begins it and three are given
      tokensMax: 36,
      tokensMin: 0,
      temperature: 0.5,
      topP: 1,
      repetitionPenalty: 1,
      seed: '18446744073709551615'
    },
    // four patches, and one for the whole
    promptTokens: 3 + 5
  })
  t.strictSame(plan({}).settings.prompt, [])
  const answer = plan({ prompt: 'a photography of', max_tokens: 5, min_tokens: 2 }, 'answer')
  t.match(answer.settings, { question: words, prompt: [], tokensMax: 5, tokensMin: 2 })
  t.equal(answer.promptTokens, words.length + 5)
})

t.test('a picture comes as image or as file, and not as both', async t => {
  t.match(plan({ image: null, file: { file_id: 'file-2' } }), { param: 'file', image: { file_id: 'file-2' } })
  t.throws(() => plan({ file: 'file-2' }), { code: 'invalid_request', details: { param: 'file' } })
  t.throws(() => plan({ image: null }), { code: 'invalid_request', details: { param: 'image' } })
})

t.test('what does not fit the model is refused, and the field is named', async t => {
  const refused: readonly (readonly [object, string, string, ('caption' | 'answer')?])[] = [
    [{}, 'invalid_request', 'prompt', 'answer'],
    [{ prompt: '  ' }, 'invalid_request', 'prompt', 'answer'],
    [
      { prompt: 'a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n' },
      'context_length_exceeded',
      'prompt'
    ],
    [{ prompt: 'cat '.repeat(8000) }, 'context_length_exceeded', 'prompt', 'answer'],
    [{ min_tokens: 5, max_tokens: 4 }, 'invalid_request', 'min_tokens']
  ]
  for (const [body, code, param, task] of refused) t.throws(() => plan(body, task), { code, details: { param } })
})

t.test('bodies that are none are refused by the schema', async t => {
  const wrong: readonly object[] = [
    { image: 5 },
    { image: '' },
    { image: { url: 'data:' } },
    { max_tokens: 0 },
    { max_tokens: 1e9 },
    { temperature: 3 },
    { stream: true },
    { prompt: 'x'.repeat(32_001) }
  ]
  for (const body of wrong) t.notOk(descriptionRequestSchema.safeParse({ image: 'file-1', ...body }).success)
  const taken: DescriptionRequest = { image: { image_url: { url: 'data:image/png;base64,AA==' } }, stream: false }
  t.ok(descriptionRequestSchema.safeParse(taken).success)
})
