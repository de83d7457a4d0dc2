import { request } from 'node:http'
import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { CHAT, QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2, { contextLength: 256, limits: { lossNoticeMs: 1 } })
t.teardown(() => mesh[Symbol.asyncDispose]())
const [tokenIdsOf, textOf] = [mesh.tokenizer.encode.bind(mesh.tokenizer), mesh.tokenizer.decode.bind(mesh.tokenizer)]
const ANSWER = 'The capital of France is Paris.'
const answerIds = tokenIdsOf(ANSWER)
const endToken = [...mesh.tokenizer.endTokenIds][0] ?? 0

/** Answers with these tokens and an end token. */
const says =
  (tokens: readonly number[]) =>
  ({ sample }: Ring) =>
    sample([...tokens, endToken], 'end_token')

t.equal(textOf(answerIds), ANSWER, 'the tokenizer makes ids and text of one another')

t.test('a whole answer is what OpenAI clients expect, and says who computed it', async t => {
  mesh.ring.script = says(answerIds)
  const response = await mesh.post({ ...QUESTION, temperature: 0 })
  t.equal(response.status, 200)
  const body = await response.json()
  t.same(openAiErrors('CreateChatCompletionResponse', body), [])
  t.match(body, {
    object: 'chat.completion',
    model: 'tiny-chat',
    choices: [{ index: 0, finish_reason: 'stop', logprobs: null, message: { content: ANSWER, refusal: null } }],
    usage: { completion_tokens: answerIds.length + 1 },
    mesh: { ttftMs: Number, route: [{ range: { first: 0, end: 2 } }, { range: { first: 2, end: 4 } }] }
  })
  t.equal(body.usage.total_tokens, body.usage.prompt_tokens + body.usage.completion_tokens)
  t.match(response.headers.get('x-request-id'), /^req_[0-9a-f]{32}$/)
  const [a, b] = body.mesh.route
  t.equal(response.headers.get('x-resultity-route'), `${a.peerId}[0,2) ${b.peerId}[2,4)`)
  t.same(
    mesh.nodes.map(node => node.sessionsOpen),
    [0, 0],
    'no slot stays taken'
  )
})

t.test('a stage may tell late of tokens that no client watches come, and of no others', async t => {
  const measured = async (): Promise<number> => {
    const text = await (await fetch(`${mesh.coordinator.httpUrl}/metrics`)).text()
    return Number(/^resultity_time_per_token_seconds_count\{model="tiny-chat"\} (\d+)$/m.exec(text)?.[1] ?? 0)
  }
  const cases = [
    { id: 'a whole answer', body: {}, tellWithinMs: 250 },
    { id: 'a stream', body: { stream: true }, tellWithinMs: undefined },
    { id: 'an answer that a text may end', body: { stop: 'Rome' }, tellWithinMs: undefined }
  ]
  for (const { id, body, tellWithinMs } of cases) {
    const told = Promise.withResolvers<number | undefined>()
    mesh.ring.script = ring => {
      told.resolve(ring.open.tellWithinMs)
      return says(answerIds)(ring)
    }
    const before = await measured()
    const response = await mesh.post({ ...QUESTION, ...body })
    await response.text()
    t.equal(await told.promise, tellWithinMs, id)
    // the end token is an event of the end
    t.equal((await measured()) - before, answerIds.length - 1, `${id}: each token but the first has its time measured`)
  }
})

t.test('a stream has the chunks that clients need, in their order', async t => {
  mesh.ring.script = says(answerIds)
  const body = { ...QUESTION, stream: true, stream_options: { include_usage: true } }
  const response = await mesh.post(body)
  t.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  t.equal(response.headers.get('cache-control'), 'no-cache')
  t.match(response.headers.get('x-resultity-route'), /\[0,2\) .*\[2,4\)$/)
  const events = await readEvents(response)
  t.equal(events.pop(), '[DONE]')
  const chunks = events.map(event => JSON.parse(event))
  t.same(
    chunks.flatMap(chunk => openAiErrors('CreateChatCompletionStreamResponse', chunk)),
    []
  )
  t.same(chunks[0].choices, [
    { index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null, logprobs: null }
  ])
  const usage = chunks.pop()
  t.same(usage.choices, [])
  t.equal(usage.usage.completion_tokens, answerIds.length + 1)
  t.ok(
    chunks.every(chunk => chunk.usage === null),
    'every other chunk says that its usage is null'
  )
  const finish = chunks.pop()
  t.match(finish, { choices: [{ delta: {}, finish_reason: 'stop' }], mesh: { placementId: String } })
  t.equal(chunks.map(chunk => chunk.choices[0].delta.content).join(''), ANSWER)
  for (const key of ['id', 'created', 'model', 'system_fingerprint']) {
    t.equal(new Set([...chunks, finish, usage].map(chunk => chunk[key])).size, 1, `${key} is the same in all chunks`)
  }
})

t.test('without include_usage no chunk speaks of usage', async t => {
  mesh.ring.script = says(answerIds)
  const events = await readEvents(await mesh.post({ ...QUESTION, stream: true }))
  t.notOk(events.some(event => event.includes('"usage"')))
})

t.test('what the client asks for reaches the stages', async t => {
  const opens: Ring['open'][] = []
  mesh.ring.script = ring => {
    opens.push(ring.open)
    return ring.sample(answerIds.slice(0, ring.open.tokensMax), 'tokens_max')
  }
  const ask = async (fields: object) => {
    const response = await mesh.post({ ...QUESTION, max_tokens: 2, ...fields })
    const body = await response.json()
    return { open: opens.at(-1), body }
  }
  const plain = await ask({})
  t.match(plain.open?.sampling, { temperature: 1, topP: 1 }, 'OpenAI defaults')
  t.same(Object.keys(plain.open?.sampling ?? {}), ['temperature', 'topP', 'seed'], 'what is not asked for is not sent')
  t.same(plain.open?.endTokens, [...mesh.tokenizer.endTokenIds])
  t.equal(plain.body.choices[0].finish_reason, 'length')
  t.equal(plain.body.choices[0].message.content, textOf(answerIds.slice(0, 2)))
  const set = await ask({ temperature: 0.5, top_p: 0.25, seed: -1, max_completion_tokens: 3, ignore_eos: true })
  t.same(set.open?.sampling, { temperature: 0.5, topP: 0.25, seed: 0xffff_ffff_ffff_ffffn })
  t.equal(set.open?.tokensMax, 3, 'the newer name wins')
  t.same(set.open?.endTokens, [], 'ignore_eos: nothing ends it but the limit')
  const wishes = {
    frequency_penalty: 0.5,
    presence_penalty: -1,
    repetition_penalty: 1.5,
    top_k: 9,
    min_p: 0.25,
    logit_bias: { '7': -100 }
  }
  const wished = await ask({ ...wishes, seed: 1 })
  t.same(wished.open?.sampling, {
    temperature: 1,
    topP: 1,
    seed: 1n,
    frequencyPenalty: 0.5,
    presencePenalty: -1,
    repetitionPenalty: 1.5,
    topK: 9,
    minP: 0.25,
    logitBias: [{ token: 7, bias: -100 }]
  })
  t.equal(wished.open?.promptTokens?.length, wished.open?.promptCount, 'the last stage is told what may repeat')
  const unused = await ask({ top_k: -1, min_p: 0, repetition_penalty: 1, logit_bias: {}, frequency_penalty: null })
  t.same(Object.keys(unused.open?.sampling ?? {}), ['temperature', 'topP', 'seed'])
  const schema = { type: 'object', properties: { b: { type: 'integer' }, a: {} } }
  const format = { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } }
  const held = await ask({ response_format: format })
  t.same(held.open?.constraint, { type: 'json_schema', schema: JSON.stringify(schema) }, 'in the order of the client')
  t.same((await ask({ response_format: { type: 'json_object' } })).open?.constraint, { type: 'json_object' })
  t.not((await ask({})).open?.sampling.seed, plain.open?.sampling.seed, 'a seed of its own each time')
  const { open, body } = await ask({ logprobs: true, top_logprobs: 2 })
  t.match(open, { logprobs: true, topLogprobs: 2 })
  t.same(openAiErrors('CreateChatCompletionResponse', body), [])
  const [entry] = body.choices[0].logprobs.content
  t.match(entry, { token: textOf(answerIds.slice(0, 1)), logprob: -0.5, bytes: Array, top_logprobs: { length: 2 } })
  const stream = await readEvents(await mesh.post({ ...QUESTION, max_tokens: 2, logprobs: true, stream: true }))
  const withLogprobs = stream.filter(event => event.includes('"logprobs":{'))
  t.equal(withLogprobs.length, 2, 'streamed: one entry a token')
  for (const event of withLogprobs) t.same(openAiErrors('CreateChatCompletionStreamResponse', JSON.parse(event)), [])
})

t.test('the prompt is the chat template over all message forms', async t => {
  let prompt: readonly number[] = []
  mesh.ring.script = ring => {
    prompt = ring.prompt
    return ring.sample([endToken], 'end_token')
  }
  const messages = [
    { role: 'developer', content: 'Be brief.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is ' },
        { type: 'input_text', text: 'this?' }
      ]
    },
    { role: 'assistant', content: null },
    { role: 'user', content: 'And?' },
    { role: 'assistant', content: [{ type: 'refusal', refusal: 'I will not.' }] },
    { role: 'user', content: 'Why?' },
    { role: 'assistant', content: null, refusal: 'Because.' },
    { role: 'user', content: 'Go on.', name: 'unknown fields are ignored' }
  ]
  const response = await mesh.post({ model: 'tiny-chat', messages, frequency_penalty: 1, user: 'x' })
  t.equal(response.status, 200)
  const same = [
    { role: 'system' as const, content: 'Be brief.' },
    { role: 'user' as const, content: 'What is this?' },
    { role: 'assistant' as const, content: '' },
    { role: 'user' as const, content: 'And?' },
    { role: 'assistant' as const, content: 'I will not.' },
    { role: 'user' as const, content: 'Why?' },
    { role: 'assistant' as const, content: 'Because.' },
    { role: 'user' as const, content: 'Go on.' }
  ]
  t.same(prompt, mesh.tokenizer.encodeChat(same, { addGenerationPrompt: true }))
})

t.test('a stop string split over tokens ends the answer and is never seen', async t => {
  const ended: Promise<void>[] = []
  mesh.ring.script = async ring => {
    ended.push(...ring.stages.map(stage => stage.ended))
    // goes on for as long as it may: only the coordinator can end it
    await ring.sample(answerIds)
  }
  const ask = { ...QUESTION, stop: ['never', 'Fra', 'ance is'] }
  const whole = await (await mesh.post(ask)).json()
  t.match(whole.choices[0], { finish_reason: 'stop', message: { content: 'The capital of ' } })
  const events = await readEvents(await mesh.post({ ...ask, stream: true }))
  const texts = events.slice(0, -1).map(event => JSON.parse(event).choices[0].delta.content ?? '')
  t.equal(texts.join(''), 'The capital of ')
  await Promise.all(ended)
  t.equal(ended.length, 4, 'the sessions of both were closed while the stages would have gone on')
})

t.test('a client that hangs up frees every slot, before the first token and after', async t => {
  for (const tokens of [[], answerIds.slice(0, 1)]) {
    const hangUp = new AbortController()
    const started = Promise.withResolvers<Ring>()
    mesh.ring.script = async ring => {
      await ring.sample(tokens)
      started.resolve(ring)
    }
    const answer = mesh.post({ ...QUESTION, stream: true }, { signal: hangUp.signal })
    const ring = await started.promise
    const response = await answer
    t.equal(mesh.nodes[0]?.sessionsOpen, 1)
    hangUp.abort()
    await t.rejects(response.text())
    await Promise.all(ring.stages.map(stage => stage.ended))
    t.same(
      mesh.nodes.map(node => node.sessionsOpen),
      [0, 0]
    )
  }
  const whole = new AbortController()
  const started = Promise.withResolvers<Ring>()
  mesh.ring.script = ring => started.resolve(ring)
  const waiting = mesh.post(QUESTION, { signal: whole.signal })
  const { stages } = await started.promise
  whole.abort()
  await t.rejects(waiting)
  await Promise.all(stages.map(stage => stage.ended))
  t.pass('also one that waits for the whole answer')
})

t.test('the only stage breaks the protocol: that fails the answer, not the server', async t => {
  await using mesh = await startScriptedMesh(1, { limits: { lossNoticeMs: 1 } })
  const cases: { id: string; script: (ring: Ring) => Promise<void>; code: string; message: RegExp }[] = [
    {
      id: 'a position twice',
      script: async ({ stages, open, prompt, sample }) => {
        await sample(answerIds.slice(0, 2))
        const { session, epoch } = open
        const again = { type: 'sampled' as const, session, epoch, position: prompt.length, token: 5 }
        await stages.at(-1)?.send({ ...again, finish: 'continues', logprob: 0, top: [] })
      },
      code: 'protocol_violation',
      message: /layers \[0,4\).*position/
    },
    {
      id: 'a token of an epoch to come',
      script: async ({ stages, open, prompt }) => {
        const frame = { type: 'sampled' as const, session: open.session, epoch: 2, position: prompt.length, token: 5 }
        await stages.at(-1)?.send({ ...frame, finish: 'continues', logprob: 0, top: [] })
      },
      code: 'protocol_violation',
      message: /epoch 2/
    },
    {
      id: 'a stream that is cut',
      script: async ({ stages }) => stages[0]?.cut(),
      code: 'node_lost',
      message: /layers \[0,4\) was lost/
    }
  ]
  for (const { id, script, code, message } of cases) {
    mesh.ring.script = script
    const events = await readEvents(await mesh.post({ ...QUESTION, stream: true }))
    const { error } = JSON.parse(events.at(-1) ?? '')
    t.match(error, { code, message, type: 'server_error', param: null }, id)
    const ended: Promise<void>[] = []
    mesh.ring.script = async ring => {
      ended.push(...ring.stages.map(stage => stage.ended))
      await script(ring)
    }
    const whole = await mesh.post(QUESTION)
    t.equal(whole.status, code === 'node_lost' ? 503 : 502, `${id}: as a whole answer it has a status`)
    await Promise.all(ended)
  }
  mesh.ring.script = says(answerIds)
  t.equal((await mesh.post(QUESTION)).status, 200, 'the next one is served')
})

t.test('a client that reads slowly is waited for', async t => {
  const tokens = Array.from({ length: 200 }, (_, index) => answerIds[index % answerIds.length] ?? 0)
  mesh.ring.script = ({ sample, open }) => sample(tokens.slice(0, open.tokensMax), 'tokens_max')
  const text = await new Promise<string>((resolve, reject) => {
    const body = JSON.stringify({ ...QUESTION, stream: true, max_tokens: 200, logprobs: true, top_logprobs: 20 })
    const post = request(`${mesh.coordinator.httpUrl}${CHAT}`, { method: 'POST' }, response => {
      let received = ''
      response.setEncoding('utf8')
      response.on('data', piece => {
        received += piece
        response.pause()
        setImmediate(() => response.resume())
      })
      response.on('end', () => resolve(received))
      response.on('error', reject)
    })
    post.end(body)
  })
  const contents = text
    .split('\n\n')
    .filter(block => block.startsWith('data: {'))
    .map(block => JSON.parse(block.slice(6).replace(/\nid: \d+$/, '')).choices[0].delta.content ?? '')
  t.equal(contents.join(''), textOf(tokens))
  t.match(text, /data: \[DONE\]\n\n$/)
})
