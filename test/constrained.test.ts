import { swarmFor } from '@resultity/testkit'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { ask, askStreaming, type ChatBody } from './chat-client.ts'

const ajv = new Ajv2020({ strict: false, validateFormats: false })
const question = { model: 'tiny-chat', messages: [{ role: 'user', content: 'What is the capital of France?' }] }

const schemas: Record<string, object> = {
  'a flat object': {
    type: 'object',
    properties: { capital: { type: 'string', maxLength: 20 }, sure: { type: 'boolean' } },
    required: ['capital', 'sure'],
    additionalProperties: false
  },
  'one of a few': { type: 'string', enum: ['Paris', 'Rome', 'Berlin'] },
  'a short list of small numbers': {
    type: 'array',
    items: { type: 'integer', minimum: -3, maximum: 120 },
    minItems: 2,
    maxItems: 3
  },
  'a tree of itself': {
    $ref: '#/$defs/node',
    $defs: {
      node: {
        type: 'object',
        properties: {
          name: { type: 'string', pattern: '^[A-Z][a-z]{1,5}$' },
          next: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/node' }] }
        },
        required: ['name', 'next'],
        additionalProperties: false
      }
    }
  }
}

const samplings: Record<string, object> = {
  greedy: { temperature: 0 },
  drawn: { temperature: 1.2, seed: 11, top_k: 40, min_p: 0.001 },
  'with penalties': {
    temperature: 0.7,
    seed: 5,
    frequency_penalty: 0.5,
    presence_penalty: 0.3,
    repetition_penalty: 1.2
  }
}

const swarm = await swarmFor(t, { nodes: 4, models: ['tiny-chat'] })

const formatOf = (schema: object) => ({ type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } })

t.test('an answer that is held to a schema is the same on 1 to 4 stages, and valid', async t => {
  const contentOf = async (body: ChatBody) => {
    const { answer } = await ask(swarm.url, body)
    const [choice] = answer.choices
    return { content: choice?.message.content ?? '', finish: choice?.finish_reason }
  }

  for (const [name, schema] of Object.entries(schemas)) {
    for (const [how, sampling] of Object.entries(samplings)) {
      const body = { ...question, ...sampling, response_format: formatOf(schema), max_tokens: 200 }
      const whole = await contentOf({ ...body, mesh: { stages: 1 } })
      if (whole.finish === 'stop')
        t.ok(ajv.validate(schema, JSON.parse(whole.content)), `${name}, ${how}: ${whole.content}`)
      for (const stages of [2, 3, 4]) {
        t.same(await contentOf({ ...body, mesh: { stages } }), whole, `${name}, ${how}: on ${stages} stages`)
      }
      const streamed = await askStreaming(swarm.url, { ...body, mesh: { stages: 3 } })
      t.equal(streamed.text, whole.content, `${name}, ${how}: streamed`)
    }
  }

  await t.test('an answer that is cut off says so', async t => {
    const body = { ...question, response_format: formatOf(schemas['a flat object'] ?? {}), max_tokens: 4 }
    t.equal((await contentOf({ ...body, mesh: { stages: 2 } })).finish, 'length')
  })

  await t.test('any object', async t => {
    for (const seed of [1, 2, 3]) {
      const body = { ...question, temperature: 1, seed, response_format: { type: 'json_object' }, max_tokens: 300 }
      const { content, finish } = await contentOf({ ...body, mesh: { stages: 2 } })
      if (finish === 'stop') t.type(JSON.parse(content), 'object', content)
      else t.match(content, /^\{/)
    }
  })

  await t.test('a bias that bans every word of the answer changes it, on any route', async t => {
    const plain = await contentOf({ ...question, temperature: 0, mesh: { stages: 2 } })
    const logit_bias = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [String(index + 260), -100]))
    const biased = await contentOf({ ...question, temperature: 0, logit_bias, mesh: { stages: 1 } })
    t.not(biased.content, plain.content)
    t.same(await contentOf({ ...question, temperature: 0, logit_bias, mesh: { stages: 4 } }), biased)
  })

  await t.test("the log-probabilities are the model's own, whatever the answer is held to", async t => {
    const fields = { temperature: 0, logprobs: true, top_logprobs: 3, max_tokens: 1 }
    const free = await ask(swarm.url, { ...question, ...fields, mesh: { stages: 2 } })
    const held = await ask(swarm.url, {
      ...question,
      ...fields,
      logit_bias: { '300': 4 },
      frequency_penalty: 1,
      response_format: formatOf({ type: 'integer' }),
      mesh: { stages: 3 }
    })
    t.same(topOf(held.answer), topOf(free.answer), 'the alternatives are those of the free answer')
  })
})

function topOf(answer: object): unknown {
  return JSON.parse(JSON.stringify(answer)).choices[0].logprobs.content[0].top_logprobs
}

t.test('a pattern that is too much work fails its own answer, and no node', async t => {
  const nodes = async (): Promise<number> => {
    const response = await fetch(`${swarm.url}/v1/mesh/nodes`)
    const { data } = (await response.json()) as { data: readonly unknown[] }
    return data.length
  }
  const before = await nodes()
  // nothing but a may come, in very many ways
  const costly = { type: 'string', pattern: '^((a{1,30}a?){9,30}a?){9,30}$' }
  const format = { ...question, max_tokens: 200, response_format: formatOf(costly) }
  const response = await fetch(`${swarm.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(format)
  })
  t.match(await response.json(), { error: { message: /steps of work/ } })
  t.equal(response.status, 400)
  const flat = { type: 'object', properties: { sure: { type: 'boolean' } }, required: ['sure'] }
  const { answer } = await ask(swarm.url, { ...question, max_tokens: 60, response_format: formatOf(flat) })
  t.ok(ajv.validate(flat, JSON.parse(answer.choices[0]?.message.content ?? '')))
  t.equal(await nodes(), before)
})

t.test('text that is no JSON, and a least number of tokens, hold on every number of stages too', async t => {
  const ways: readonly (readonly [name: string, fields: object, isFit: (text: string) => boolean])[] = [
    [
      'a pattern',
      { guided_regex: '[A-Z][a-z]{2,8}(, [a-z]+){0,2}' },
      text => /^[A-Z][a-z]{2,8}(, [a-z]+){0,2}$/.test(text)
    ],
    ['a choice', { guided_choice: ['Rome', 'Paris, of course'] }, text => ['Rome', 'Paris, of course'].includes(text)],
    ['a grammar', { grammar: 'root ::= "[" root "]" | [0-9]{1,3}' }, text => /^\[*\d{1,3}\]*$/.test(text)]
  ]
  for (const [name, fields, isFit] of ways) {
    for (const sampling of [{ temperature: 0 }, { temperature: 1.2, seed: 11 }]) {
      const answers: string[] = []
      for (const stages of [1, 2, 3]) {
        const body = { ...question, ...sampling, ...fields, max_tokens: 60, mesh: { stages } }
        const [choice] = (await ask(swarm.url, body)).answer.choices
        if (choice?.finish_reason === 'stop')
          t.ok(isFit(choice.message.content ?? ''), `${name}: ${choice.message.content}`)
        answers.push(choice?.message.content ?? '')
      }
      t.same(
        answers,
        answers.map(() => answers[0]),
        name
      )
    }
  }
  const free = (await ask(swarm.url, { ...question, temperature: 0 })).answer
  const min_tokens = free.usage.completion_tokens + 3
  for (const stages of [1, 3]) {
    const { answer } = await ask(swarm.url, { ...question, temperature: 0, min_tokens, mesh: { stages } })
    t.ok(answer.usage.completion_tokens > min_tokens || answer.choices[0]?.finish_reason === 'length', 'no end before')
  }
})
