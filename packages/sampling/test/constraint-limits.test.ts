import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MeshError, type OutputConstraint } from '@resultity/interface'
import { createTokenizer, readVocabulary } from '@resultity/tokenizer'
import t from 'tap'
import { ConstraintCache } from '../src/constraint-cache.ts'
import { ConstraintThread } from '../src/constraint-thread.ts'
import { ConstraintCompiler, type TokenConstraint } from '../src/index.ts'

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
const held = (schema: unknown): OutputConstraint => ({ type: 'json_schema', schema: JSON.stringify(schema) })
/** No two counts of it can be one, so its states are combinations of them. */
const COSTLY = held({ type: 'string', pattern: '^((a{0,30}b?){0,30}c?){0,30}$' })
const HONEST = held({
  type: 'object',
  properties: { city: { type: 'string' }, n: { type: 'integer' } },
  required: ['city']
})
const MIB = 2 ** 20

async function write(constraint: TokenConstraint, text: string): Promise<void> {
  for (const token of tokenizer.encode(text)) {
    constraint.accept(token)
    await constraint.ready()
  }
}

t.test('an answer whose constraint is too much work fails for good, and no other does', async t => {
  await using compiler = new ConstraintCompiler()
  const honest = await compiler.constrain(vocabulary, HONEST, endTokens)
  const costly = await compiler.constrain(vocabulary, COSTLY, endTokens)
  await write(honest, '{"city"')
  const error = await write(costly, `"${'a'.repeat(80)}"`).then(
    () => undefined,
    (reason: unknown) => reason
  )
  t.match(error, { code: 'invalid_request', message: /takes more than [0-9]+ steps of work/ })
  t.ok(error instanceof MeshError && !error.retryable, 'no other node is tried')
  await write(honest, ': "Rome", "n": 7}')
  t.ok(honest.complete)
})

t.test('the event loop goes on while a mask is worked out', async t => {
  await using compiler = new ConstraintCompiler()
  const costly = await compiler.constrain(vocabulary, COSTLY, endTokens)
  let turns = 0
  let over = false
  const turn = (): void => {
    turns++
    if (!over) setImmediate(turn)
  }
  setImmediate(turn)
  await t.rejects(write(costly, `"${'a'.repeat(80)}"`), { code: 'invalid_request' })
  over = true
  t.ok(turns > 100, `${turns} turns of the loop`)
})

t.test('what has been worked out is there at once', async t => {
  await using compiler = new ConstraintCompiler()
  await write(await compiler.constrain(vocabulary, HONEST, endTokens), '{"city": "Rome"}')
  const again = await compiler.constrain(vocabulary, HONEST, endTokens)
  for (const token of tokenizer.encode('{"city": "Rome"}')) {
    t.equal(again.ready(), undefined)
    again.accept(token)
  }
  t.ok(again.complete)
})

t.test(
  'a thread that takes too long is ended; the answer that asked fails, and others find their way again',
  async t => {
    await using thread = new ConstraintThread({ requestMsMax: 60_000, heapMbMax: 64 })
    const { signal } = new AbortController()
    const open = (id: number, constraint: OutputConstraint) =>
      thread.ask({ type: 'open', grammar: id, vocabulary: 0, constraint, tokens: [] }, signal, vocabulary)
    t.match(await open(1, HONEST), { type: 'state', complete: false })
    await using hasty = new ConstraintThread({ requestMsMax: 0, heapMbMax: 64 })
    const asked = [1, 2].map(id =>
      hasty.ask({ type: 'open', grammar: id, vocabulary: 0, constraint: HONEST, tokens: [] }, signal, vocabulary)
    )
    for (const one of asked) await t.rejects(one, { code: 'invalid_request', message: /longer than 0 ms/ })
    const over = new AbortController()
    over.abort()
    const request = { type: 'step', grammar: 1, state: 0, token: 0 } as const
    await t.rejects(thread.ask(request, over.signal), { code: 'canceled' })
    t.match(await thread.ask({ ...request, grammar: 9 }, signal), { type: 'unknown' })
    await thread[Symbol.asyncDispose]()
    await t.rejects(thread.ask(request, signal), { code: 'unavailable' })
  }
)

t.test('an answer goes on where it was when its grammar was forgotten', async t => {
  // room for one grammar at a time
  await using compiler = new ConstraintCompiler({ cacheBytesMax: 120_000 })
  const document = '{"city": "Rome", "n": 41}'
  const first = await compiler.constrain(vocabulary, HONEST, endTokens)
  const other = await compiler.constrain(vocabulary, held({ enum: ['Rome', 'Paris'] }), endTokens)
  for (const letter of document) {
    await write(first, letter)
    const beside = await compiler.constrain(vocabulary, held({ const: `${letter}${'x'.repeat(2000)}` }), endTokens)
    await write(beside, '"')
  }
  t.ok(first.complete)
  await write(other, '"Paris"')
  t.ok(other.complete)
  t.ok(compiler.bytes <= 120_000, `${compiler.bytes} bytes`)
})

t.test('the cache holds to its bytes, and forgets what was used least recently', async t => {
  const forgotten: string[] = []
  const cache = new ConstraintCache(100_000, ({ key }) => forgotten.push(key))
  const [a, b] = [cache.use('a', 0), cache.use('b', 0)]
  const allowed = new Uint32Array(2048)
  const state = (id: number) => ({ id, complete: false, allowed })
  cache.keepState(a, state(0), 20_000)
  const start = cache.keepState(b, state(0), 20_000)
  cache.keepTransition(b, start, 3, cache.keepState(b, state(1), 25_000))
  cache.touch(a)
  cache.keepState(a, state(1), 40_000)
  t.same(forgotten, ['b'])
  t.equal(start.next.size, 0, 'an answer that is still there holds nothing of what could follow')
  cache.keepState(a, state(2), 200_000)
  t.same(forgotten, ['b', 'a'], 'even the last one goes when it alone is too much')
  t.equal(cache.bytes, 0)
  cache.use('c', 7)
  cache.forgetVocabulary(7)
  t.equal(cache.size, 0)
})

t.test('16 schemas of 60 KB and answers along them stay within the budget', async t => {
  await using compiler = new ConstraintCompiler({ cacheBytesMax: 8 * MIB })
  for (let round = 0; round < 16; round++) {
    const long = String.fromCharCode(97 + round).repeat(60_000)
    const constraint = await compiler.constrain(vocabulary, held({ const: long }), endTokens)
    await write(constraint, `"${long.slice(0, 400)}`)
    t.ok(compiler.bytes <= 8 * MIB, `${compiler.bytes} bytes`)
  }
})

t.test('a released vocabulary takes its grammars along', async t => {
  await using compiler = new ConstraintCompiler()
  await compiler.constrain(vocabulary, HONEST, endTokens)
  t.ok(compiler.bytes > 0)
  compiler.release(vocabulary)
  t.equal(compiler.bytes, 0)
  t.ok(await compiler.constrain(vocabulary, HONEST, endTokens), 'and can be used again')
})
