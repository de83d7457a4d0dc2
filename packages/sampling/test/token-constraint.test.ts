import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GREEDY, type OutputConstraint, type Sampling } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import { buildVocabularyTrie, createTokenizer, readVocabulary, type TokenVocabulary } from '@resultity/tokenizer'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import t from 'tap'
import { ConstraintCompiler, type TokenConstraint, TokenSampler } from '../src/index.ts'
import { uniformAt } from '../src/uniform.ts'

/** tiny-chat's end of an answer. */
const END_TOKEN = 6

const modelDir = join(import.meta.dirname, '../../../model/models/tiny-chat')
const definition = readFileSync(join(modelDir, 'tokenizer.json'))
const SIZE = 768
const vocabulary = readVocabulary(definition, SIZE)
const tokenizer = createTokenizer(
  { definition, config: readFileSync(join(modelDir, 'tokenizer_config.json')), endTokenIds: [END_TOKEN] },
  { vocabularySize: SIZE, contextLength: 512 }
)
const endTokens = new Set([END_TOKEN])
const compiler = new ConstraintCompiler()
t.teardown(() => compiler[Symbol.asyncDispose]())
const constrain = (constraint: OutputConstraint) => compiler.constrain(vocabulary, constraint, endTokens)
const ajv = new Ajv2020({ strict: false, validateFormats: false })

/** Tokens that lead out of strings and containers, so that random answers end. */
const closing = ['"', '}', ']', '0'].flatMap(text => tokenizer.encode(text))

async function write(constraint: TokenConstraint, text: string): Promise<void> {
  for (const token of tokenizer.encode(text)) {
    constraint.accept(token)
    await constraint.ready()
  }
}

/** Logits that a seed gives; the further the answer, the likelier it is to close what is open. */
function randomLogits(seed: bigint, position: number): Float32Array {
  const logits = Float32Array.from({ length: SIZE }, (_, token) => 4 * uniformAt(seed, position * SIZE + token))
  for (const token of [...closing, END_TOKEN]) logits[token] = (logits[token] ?? 0) + position / 4
  return logits
}

/** The answer to random logits; undefined when it had no end within `tokensMax`. */
async function randomAnswer(
  constraint: OutputConstraint,
  seed: bigint,
  tokensMax: number
): Promise<string | undefined> {
  const sampling = { temperature: 1, topP: 1, seed }
  const sampler = new TokenSampler({ sampling, promptTokens: [] })
  sampler.constrain(await constrain(constraint))
  const ids: number[] = []
  for (let position = 0; position < tokensMax; position++) {
    await sampler.ready()
    const token = sampler.next(randomLogits(seed, position), position)
    if (token === END_TOKEN) return tokenizer.decode(ids)
    ids.push(token)
  }
  return undefined
}

const leaf = fc.constantFrom<object>(
  { type: 'string' },
  { type: 'string', minLength: 1, maxLength: 4 },
  { type: 'string', pattern: '^[A-F]{2}-\\d+$' },
  { type: 'string', format: 'date' },
  { type: 'integer', minimum: -7, maximum: 300 },
  { type: 'number', exclusiveMinimum: 0 },
  { type: ['boolean', 'null'] },
  { enum: ['Paris', 'Rome', 3] }
)

const randomSchemas = fc.letrec<{ schema: object }>(tie => ({
  schema: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    leaf,
    fc.record({ type: fc.constant('array'), items: tie('schema'), maxItems: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
    fc
      .tuple(fc.dictionary(fc.constantFrom('city', 'größe', 'n'), tie('schema')), fc.boolean())
      .map(([properties, all]) => ({
        type: 'object',
        properties,
        required: all ? Object.keys(properties) : [],
        additionalProperties: false
      }))
  )
})).schema

t.test('every answer that ends is valid, whatever the logits; one that is cut off was on its way', async () => {
  const property = fc.asyncProperty(randomSchemas, fc.bigInt({ min: 0n, max: 0xffff_ffffn }), async (schema, seed) => {
    const text = await randomAnswer({ type: 'json_schema', schema: JSON.stringify(schema) }, seed, 160)
    return text === undefined || ajv.validate(schema, JSON.parse(text))
  })
  await assertProperty(property, { numRuns: 250 })
})

t.test('text that is no JSON is held to as well', async t => {
  const fits: readonly (readonly [OutputConstraint, (text: string) => boolean])[] = [
    [{ type: 'regex', pattern: '[a-c]{2,5}"?|né+' }, text => /^(?:[a-c]{2,5}"?|né+)$/.test(text)],
    [{ type: 'choice', texts: ['yes', 'yes, please', '日本'] }, text => ['yes', 'yes, please', '日本'].includes(text)],
    [{ type: 'gbnf', grammar: 'root ::= "[" root "]" | "0"' }, text => /^\[*0\]*$/.test(text) && text.length % 2 === 1],
    [
      {
        type: 'preceded',
        preludes: [
          [],
          [
            { type: 'literal', text: '"' },
            { type: 'until', text: '"' }
          ]
        ],
        answer: { type: 'choice', texts: ['yes', 'no'] }
      },
      text => /^(?:"[^"]*"\s*)?(?:yes|no)$/.test(text)
    ]
  ]
  for (const [constraint, isFit] of fits) {
    let ended = 0
    for (let seed = 0n; seed < 20n; seed++) {
      const text = await randomAnswer(constraint, seed, 100)
      if (text === undefined) continue
      ended++
      t.ok(isFit(text), `${constraint.type}: ${text}`)
    }
    t.ok(ended > 10, `${ended} of 20 ended`)
  }
})

t.test('a marker may be the special token of its name, which may come nowhere else', async t => {
  const marker = '<|user|>'
  const [token = 0] = tokenizer.encode(marker)
  const allows = async (constraint: OutputConstraint): Promise<boolean> => {
    const logits = new Float32Array(SIZE)
    ;(await constrain(constraint)).mask(logits)
    return logits[token] === 0
  }
  const answer = { type: 'regex', pattern: '[^]*' } as const
  t.ok(await allows({ type: 'preceded', preludes: [[{ type: 'literal', text: marker }]], answer }))
  t.ok(await allows({ type: 'preceded', preludes: [[{ type: 'until', text: marker }]], answer }))
  t.notOk(await allows({ type: 'preceded', preludes: [[{ type: 'until', text: '<|end|>' }]], answer }))
  t.notOk(await allows(answer))
})

t.test('any object is an object, and the same seed gives the same one', async t => {
  let ended = 0
  for (let seed = 0n; seed < 20n; seed++) {
    const text = await randomAnswer({ type: 'json_object' }, seed, 200)
    t.equal(await randomAnswer({ type: 'json_object' }, seed, 200), text)
    if (text === undefined) continue
    ended++
    t.type(JSON.parse(text), 'object')
  }
  t.ok(ended > 10, `${ended} of 20 ended`)
})

t.test('an answer ends only where it is complete', async t => {
  const constraint = await constrain({ type: 'json_schema', schema: '{"enum":["ab"]}' })
  const allowed = (): number[] => {
    const logits = new Float32Array(SIZE)
    constraint.mask(logits)
    return [...logits.keys()].filter(token => logits[token] === 0)
  }
  t.notOk(allowed().includes(END_TOKEN))
  await write(constraint, '"ab"')
  t.ok(constraint.complete)
  t.same(allowed(), [END_TOKEN])
  constraint.accept(END_TOKEN)
  t.throws(() => constraint.accept(tokenizer.encode('a')[0] ?? 0), { code: 'engine_failed' })
})

t.test('special tokens never write into an answer, though their names would fit', async t => {
  const logits = new Float32Array(SIZE)
  const constraint = await constrain({ type: 'json_schema', schema: '{"type":"string"}' })
  await write(constraint, '"')
  constraint.mask(logits)
  t.equal(logits[END_TOKEN], Number.NEGATIVE_INFINITY)
})

t.test('what cannot be done is said', async t => {
  await t.rejects(compiler.constrain(vocabulary, { type: 'json_object' }, new Set()), { code: 'invalid_request' })
  await t.rejects(constrain({ type: 'json_schema', schema: '{"not":{}}' }), { code: 'invalid_request' })
  const letters = buildVocabularyTrie([Buffer.from('a'), Buffer.from('{')])
  const poor: TokenVocabulary = { size: 2, leadingSpaces: 0, trie: letters }
  const constraint = await compiler.constrain(poor, { type: 'json_object' }, new Set([0]))
  constraint.accept(1)
  await constraint.ready()
  t.throws(() => constraint.mask(new Float32Array(2)), { code: 'engine_failed' }, 'a vocabulary without the letters')
})

t.test('a document may be written as the tokenizer cuts it, half characters included', async t => {
  const document = '{"city": "Rome", "n": [1, 2.5], "größe": null}'
  const constraint = await constrain({ type: 'json_object' })
  for (const token of tokenizer.encode(document)) {
    const logits = new Float32Array(SIZE)
    constraint.mask(logits)
    t.equal(logits[token], 0, `token ${token}`)
    constraint.accept(token)
    await constraint.ready()
  }
  t.ok(constraint.complete)
})

t.test('penalties and biases', async t => {
  const draw = (fields: object, rounds: Float32Array[], promptTokens: number[] = []): number[] => {
    const sampler = new TokenSampler({ sampling: { ...GREEDY, ...fields }, promptTokens })
    return rounds.map((logits, position) => sampler.next(logits, position))
  }
  const same = (...logits: number[]): Float32Array[] => Array.from({ length: 4 }, () => Float32Array.from(logits))
  const cases: { id: string; fields: object; rounds: Float32Array[]; prompt?: number[]; tokens: number[] }[] = [
    { id: 'none', fields: {}, rounds: same(2, 1.5, 1), tokens: [0, 0, 0, 0] },
    { id: 'presence counts once', fields: { presencePenalty: 0.75 }, rounds: same(2, 1.5, 1), tokens: [0, 1, 0, 0] },
    { id: 'frequency counts each', fields: { frequencyPenalty: 0.75 }, rounds: same(2, 1.5, 1), tokens: [0, 1, 0, 2] },
    {
      id: 'a reward keeps to what came',
      fields: { frequencyPenalty: -1 },
      rounds: same(1, 2, 2),
      tokens: [1, 1, 1, 1]
    },
    {
      id: 'repetition counts the prompt',
      fields: { repetitionPenalty: 2 },
      rounds: same(2, 1.5, 0.9),
      prompt: [0],
      tokens: [1, 0, 0, 0]
    },
    { id: 'repetition below zero', fields: { repetitionPenalty: 2 }, rounds: same(-1, -1.5, -9), tokens: [0, 1, 0, 0] },
    { id: 'a bias', fields: { logitBias: [{ token: 2, bias: 5 }] }, rounds: same(2, 1.5, 1), tokens: [2, 2, 2, 2] },
    {
      id: 'a ban',
      fields: {
        logitBias: [
          { token: 0, bias: -100 },
          { token: 99, bias: 100 }
        ]
      },
      rounds: same(2, 1.5, 1),
      tokens: [1, 1, 1, 1]
    },
    {
      id: 'all together',
      fields: { presencePenalty: 0.4, logitBias: [{ token: 1, bias: 0.2 }] },
      rounds: same(2, 1.5, 1),
      tokens: [0, 1, 0, 0]
    }
  ]
  for (const { id, fields, rounds, prompt, tokens } of cases) {
    const before = rounds.map(logits => [...logits])
    t.same(draw(fields, rounds, prompt), tokens, id)
    t.same(
      rounds.map(logits => [...logits]),
      before,
      `${id}: the model's logits stay`
    )
  }
})

t.test('no end token comes before as many tokens as must', async t => {
  const logits = new Float32Array([9, 8, 1])
  const tokens = (endTokens: number[], tokensMin: number, sampling: Sampling = GREEDY): number[] => {
    const sampler = new TokenSampler({ sampling, promptTokens: [], endTokens, tokensMin })
    return [1, 2, 3].map(position => sampler.next(logits, position))
  }
  t.same(tokens([0], 0), [0, 0, 0])
  t.same(tokens([0], 2), [1, 1, 0])
  t.same(tokens([0, 1], 1), [2, 0, 0])
  t.same(tokens([], 3), [0, 0, 0])
  t.same(tokens([0], 1, { ...GREEDY, logitBias: [{ token: 0, bias: 100 }] }), [1, 0, 0], 'a bias does not help it')
  t.throws(() => tokens([0, 1, 2], 1), { code: 'engine_failed' }, 'where nothing else is left')
  t.same([...logits], [9, 8, 1], "the model's logits stay")
})

t.test('a sampler without wishes draws what the logits alone give', async () => {
  const logitsOf = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 2, maxLength: 50 })
  const fields = fc.constantFrom({}, { topP: 0.5 }, { topK: 3 }, { minP: 0.1 }, { topK: 5, topP: 0.7, minP: 0.01 })
  const property = fc.property(logitsOf, fields, fc.bigInt({ min: 0n, max: 99n }), (values, extra, seed) => {
    const logits = Float32Array.from(values)
    const sampling = { temperature: 0.8, topP: 1, seed, ...extra }
    const plain = new TokenSampler({ sampling, promptTokens: [] }).next(logits, 3)
    // a bias for a token that the model does not have makes the sampler go the long way
    const long = { ...sampling, logitBias: [{ token: 1000, bias: 1 }] }
    const ranked = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b)
    const rank = ranked.indexOf(plain)
    const fits = !('topK' in extra) || rank < (extra.topK ?? 0)
    return fits && new TokenSampler({ sampling: long, promptTokens: [] }).next(logits, 3) === plain
  })
  assertProperty(property)
})
