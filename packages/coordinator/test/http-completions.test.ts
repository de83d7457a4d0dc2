import type { CompletionLogprobs } from '@resultity/openai'
import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2, { contextLength: 64 })
t.teardown(() => mesh[Symbol.asyncDispose]())
const { tokenizer } = mesh
const PROMPT = 'The capital of France'
const promptIds = [...tokenizer.beginTokenIds, ...tokenizer.encode(PROMPT)]
const answerIds = tokenizer.encode(' is Paris.')
const ANSWER = tokenizer.decode(answerIds)
const [endToken = 0] = tokenizer.endTokenIds

async function complete(body: unknown): Promise<Response> {
  const model = { model: 'tiny-chat' }
  return await fetch(`${mesh.coordinator.httpUrl}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(typeof body === 'object' ? { ...model, ...body } : body)
  })
}

async function completion(body: unknown) {
  const response = await complete(body)
  const value = await response.json()
  t.same(response.ok ? openAiErrors('CreateCompletionResponse', value) : [value], [])
  return value
}

/** Answers with these tokens and an end token, as far as the limit lets it. */
const says =
  (tokens: readonly number[]) =>
  ({ sample, open: { tokensMax } }: Ring) =>
    tokens.length < tokensMax
      ? sample([...tokens, endToken], 'end_token')
      : sample(tokens.slice(0, tokensMax), 'tokens_max')

t.test('a text is gone on with, as the model was trained to read texts', async t => {
  let open: Ring['open'] | undefined
  let prompt: readonly number[] = []
  mesh.ring.script = ring => {
    open = ring.open
    prompt = ring.prompt
    return says(answerIds)(ring)
  }
  const body = await completion({ prompt: PROMPT })
  t.match(body, {
    id: /^cmpl-[0-9a-f]{32}$/,
    object: 'text_completion',
    model: 'tiny-chat',
    choices: [{ index: 0, text: ANSWER, logprobs: null, finish_reason: 'stop' }],
    usage: { prompt_tokens: promptIds.length, completion_tokens: answerIds.length + 1 },
    mesh: { route: [{ range: { first: 0, end: 2 } }, { range: { first: 2, end: 4 } }] }
  })
  t.same(prompt, promptIds, 'no chat template, and the tokens that begin a text')
  t.match(open, { tokensMax: 16, sampling: { temperature: 1, topP: 1 } }, "OpenAI's defaults")
  await completion({ prompt: promptIds, max_tokens: 3, temperature: 0.5, seed: 7 })
  t.same(prompt, promptIds, 'ids are taken as they are')
  t.match(open, { tokensMax: 3, sampling: { temperature: 0.5, seed: 7n } })
  await completion({ prompt: '' })
  t.same(prompt, tokenizer.beginTokenIds, 'an empty text is only begun')
})

t.test('several prompts have their choices in order, and count once each', async t => {
  const seeds = new Map<string, Set<bigint>>()
  mesh.ring.script = ring => {
    const text = tokenizer.decode(ring.prompt)
    seeds.set(text, (seeds.get(text) ?? new Set()).add(ring.open.sampling.seed))
    return says(tokenizer.encode(text.toUpperCase()))(ring)
  }
  const body = await completion({ prompt: ['a b', 'c d'], n: 2, best_of: 2, echo: true })
  t.same(
    body.choices.map((choice: { index: number; text: string }) => [choice.index, choice.text]),
    [
      [0, 'a bA B'],
      [1, 'a bA B'],
      [2, 'c dC D'],
      [3, 'c dC D']
    ]
  )
  t.same(
    [...seeds.values()].map(set => set.size),
    [2, 2],
    'each choice has a seed of its own'
  )
  const lengths = ['a b', 'c d'].map(text => tokenizer.beginTokenIds.length + tokenizer.encode(text).length)
  t.equal(
    body.usage.prompt_tokens,
    lengths.reduce((sum, length) => sum + length, 0)
  )
  const ids = await completion({ prompt: [tokenizer.encode('a'), tokenizer.encode('b')], echo: true })
  t.same(
    ids.choices.map((choice: { text: string }) => choice.text),
    ['aA', 'bB'],
    'ids are echoed as the text they stand for'
  )
})

t.test('a stream has every piece once, one finish for each choice, and the usage when asked', async t => {
  mesh.ring.script = says(answerIds)
  const response = await complete({
    prompt: [PROMPT, 'x'],
    stream: true,
    echo: true,
    stream_options: { include_usage: true }
  })
  const events = await readEvents(response)
  t.equal(events.pop(), '[DONE]')
  const chunks = events.map(event => JSON.parse(event))
  const usage = chunks.pop()
  t.same(usage.choices, [])
  t.equal(usage.usage.completion_tokens, 2 * (answerIds.length + 1))
  for (const index of [0, 1]) {
    const pieces = chunks.flatMap(chunk => chunk.choices).filter(choice => choice.index === index)
    t.equal(pieces.map(piece => piece.text).join(''), [PROMPT, 'x'][index] + ANSWER)
    t.same(
      pieces.map(piece => piece.finish_reason).filter(reason => reason !== null),
      ['stop']
    )
    t.equal(pieces.at(-1).finish_reason, 'stop', 'the finish comes last')
  }
  t.ok(chunks.every(chunk => chunk.usage === null && chunk.object === 'text_completion'))
  const plain = await readEvents(await complete({ prompt: PROMPT, stream: true }))
  t.notOk(plain.some(event => event.includes('"usage"')))
})

t.test('probabilities name each token, where it begins, and the alternatives with it', async t => {
  mesh.ring.script = says(answerIds)
  const { choices } = await completion({ prompt: PROMPT, logprobs: 2 })
  const [{ logprobs, text }] = choices
  t.equal(logprobs.tokens.length, answerIds.length)
  t.same(
    logprobs.token_logprobs,
    answerIds.map(() => -0.5)
  )
  for (const [index, offset] of logprobs.text_offset.entries()) {
    const end = logprobs.text_offset[index + 1] ?? text.length
    const token: string = logprobs.tokens[index]
    t.ok(text.slice(offset, end) === token || token.includes('\ufffd'), `token ${index} stands where it says`)
    t.ok(token in logprobs.top_logprobs[index], 'the sampled token is among them')
  }
  const events = await readEvents(await complete({ prompt: PROMPT, logprobs: 0, stream: true }))
  const pieces = events.slice(0, -1).map(event => JSON.parse(event).choices[0])
  t.same(
    pieces.flatMap(piece => piece.logprobs?.tokens ?? []),
    logprobs.tokens,
    'streamed: the same, one a piece'
  )
})

t.test('how likely a prompt is, as evaluation harnesses ask it', async t => {
  const scores = (prompt: readonly number[]) =>
    prompt.slice(1).map((token, at) => ({
      logprob: -at - 1,
      top: [
        { token, logprob: -at - 1 },
        { token: 7, logprob: -9 }
      ]
    }))
  mesh.ring.script = async ring => {
    const { session, epoch } = ring.open
    t.match(ring.open, { promptLogprobs: true, topLogprobs: 2 })
    const last = ring.stages.at(-1)
    const all = scores(ring.prompt)
    const half = Math.floor(all.length / 2)
    await last?.send({ type: 'scores', session, epoch, position: 1, scores: all.slice(0, half) })
    await last?.send({ type: 'scores', session, epoch, position: 1 + half, scores: all.slice(half) })
    await says(answerIds)(ring)
  }
  const ask = { prompt: promptIds, echo: true, logprobs: 2 }
  const read = async (body: object) =>
    (await (await complete(body)).json()) as {
      choices: [{ text: string; logprobs: CompletionLogprobs }]
      usage: object
    }
  const alone = await read({ ...ask, max_tokens: 0 })
  const [{ text, logprobs }] = alone.choices
  t.equal(text, PROMPT)
  t.match(alone, { usage: { prompt_tokens: promptIds.length, completion_tokens: 0 } })
  t.same(logprobs.token_logprobs, [null, ...scores(promptIds).map(({ logprob }) => logprob)])
  t.same(logprobs.top_logprobs[0], null, 'nothing stands before the first')
  t.equal(Object.keys(logprobs.top_logprobs[1] ?? {}).length, 2)
  t.same(
    logprobs.tokens,
    promptIds.map(id => tokenizer.decode([id]))
  )
  const whole = await read({ ...ask, max_tokens: 20 })
  const [both] = whole.choices
  t.equal(both.text, PROMPT + ANSWER)
  t.equal(both.logprobs.tokens.length, promptIds.length + answerIds.length)
  t.equal(both.logprobs.text_offset[promptIds.length], PROMPT.length, 'the answer begins where the prompt ends')
  t.same(
    both.logprobs.token_logprobs.slice(promptIds.length),
    answerIds.map(() => -0.5)
  )
  const events = await readEvents(await complete({ ...ask, max_tokens: 0, stream: true }))
  const pieces = events.slice(0, -1).map(event => JSON.parse(event).choices[0])
  t.same(
    pieces.flatMap(piece => piece.logprobs?.token_logprobs ?? []),
    logprobs.token_logprobs,
    'streamed: the same'
  )
  t.equal(pieces.map(piece => piece.text).join(''), PROMPT)
})

t.test('an echo alone computes nothing', async t => {
  mesh.ring.script = () => {
    throw new Error('nothing was to be generated')
  }
  const body = await completion({ prompt: PROMPT, echo: true, max_tokens: 0 })
  t.match(body, {
    choices: [{ text: PROMPT, finish_reason: 'length' }],
    usage: { prompt_tokens: promptIds.length, completion_tokens: 0 }
  })
  const events = await readEvents(await complete({ prompt: PROMPT, echo: true, max_tokens: 0, stream: true }))
  t.equal(events.pop(), '[DONE]')
  t.equal(events.map(event => JSON.parse(event).choices[0].text).join(''), PROMPT)
})

t.test('stop strings end a text and are no part of it', async t => {
  mesh.ring.script = says(answerIds)
  const { choices } = await completion({ prompt: PROMPT, stop: ['Paris'] })
  t.match(choices, [{ text: ' is ', finish_reason: 'stop' }])
})

t.test('what cannot be served is refused, naming the field', async t => {
  const vocabularySize = 2 ** 20
  const cases: [object, string][] = [
    [{}, 'prompt'],
    [{ prompt: 5 }, 'prompt'],
    [{ prompt: [] }, 'prompt'],
    [{ prompt: [[]] }, 'prompt[0]'],
    [{ prompt: [1, 'x'] }, 'prompt'],
    [{ prompt: [-1] }, 'prompt[0]'],
    [{ prompt: [1, vocabularySize] }, 'prompt[1]'],
    [{ prompt: [[1], [2, 3, vocabularySize]] }, 'prompt[1][2]'],
    [{ prompt: 'x', suffix: 'y' }, 'suffix'],
    [{ prompt: 'x', best_of: 2 }, 'best_of'],
    [{ prompt: 'x', max_tokens: 0 }, 'max_tokens'],
    [{ prompt: 'x', max_tokens: -1 }, 'max_tokens'],
    [{ prompt: 'x', n: 0 }, 'n'],
    [{ prompt: Array(100).fill('x'), n: 100 }, 'n'],
    [{ prompt: 'x', logprobs: 21 }, 'logprobs'],
    [{ prompt: 'x', stop: '' }, 'stop'],
    [{ prompt: 'x', temperature: 3 }, 'temperature'],
    [{ prompt: 'word '.repeat(100) }, 'prompt'],
    [{ prompt: ['x', 'word '.repeat(100)] }, 'prompt[1]'],
    [{ prompt: 'x'.repeat(1_000_000) }, 'prompt']
  ]
  for (const [body, param] of cases) {
    const response = await complete(body)
    const { error } = await response.json()
    t.equal(response.status, 400, JSON.stringify(body).slice(0, 80))
    t.equal(error.param, param)
  }
  const unknown = await complete({ model: 'nothing', prompt: 'x' })
  t.equal(unknown.status, 404)
  const later = await complete({ prompt: 'x', suffix: '', best_of: 1, unknown_field: true, max_tokens: 1 })
  t.equal(later.status, 200, 'what means nothing is let through')
})
