import { swarmFor } from '@resultity/testkit'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { test } from 'tap'
import { postChat } from './chat-client.ts'

const ajv = new Ajv2020({ strict: false, validateFormats: false })

/** Small, for the model's context has room for little more than the words around them. */
const parameters = {
  properties: { in: { enum: ['Paris', 'Rome'] }, n: { type: 'integer', minimum: 1, maximum: 9 } },
  required: ['in']
}
const tools = [
  { type: 'function', function: { name: 'go', parameters } },
  { type: 'function', function: { name: 'now' } }
]
const question = { model: 'tiny-chat', messages: [{ role: 'user', content: 'What is the capital of France?' }], tools }

interface Call {
  readonly id: string
  readonly type: string
  readonly function: { readonly name: string; readonly arguments: string }
}

interface Choice {
  readonly message: { readonly content: string | null; readonly tool_calls?: readonly Call[] }
  readonly finish_reason: string
}

test('calls on a split model', async t => {
  const swarm = await swarmFor(t, { nodes: 3, models: ['tiny-chat'] })
  const choiceOf = async (fields: object): Promise<Choice> => {
    const response = await postChat(swarm.url, { ...question, temperature: 0, ...fields })
    const text = await response.text()
    if (response.status !== 200) throw new Error(text)
    return JSON.parse(text).choices[0]
  }

  await t.test('a call that must come is one of the declared functions, the same on any route', async t => {
    const named = { type: 'function', function: { name: 'go' } }
    for (const choice of [{ tool_choice: 'required', parallel_tool_calls: false }, { tool_choice: named }]) {
      for (const seed of [1, 2, 3]) {
        const fields = { ...choice, temperature: 0.4, top_p: 0.8, seed }
        const whole = await choiceOf({ ...fields, mesh: { stages: 1 } })
        t.equal(whole.finish_reason, 'tool_calls')
        t.equal(whole.message.content, null)
        for (const call of whole.message.tool_calls ?? []) {
          t.equal(call.type, 'function')
          const values: unknown = JSON.parse(call.function.arguments)
          if (call.function.name === 'go') t.ok(ajv.validate(parameters, values), call.function.arguments)
          else t.same([call.function.name, values], ['now', {}])
        }
        t.equal(whole.message.tool_calls?.length, 1)
        const split = await choiceOf({ ...fields, mesh: { stages: 3 } })
        t.same(bare(split), bare(whole), 'on three stages')
      }
    }
  })

  await t.test('a streamed call comes in the pieces that clients put together', async t => {
    const fields = { tool_choice: 'required', stream: true, mesh: { stages: 2 } }
    const deltas = await deltasOf(await postChat(swarm.url, { ...question, temperature: 0, ...fields }))
    const whole = await choiceOf({ ...fields, stream: false })
    const calls: { id: string; type: string; function: { name: string; arguments: string } }[] = []
    for (const { content, tool_calls = [] } of deltas) {
      t.equal(content ?? '', '')
      for (const { index, id, type, function: piece } of tool_calls) {
        if (index === calls.length) calls.push({ id, type, function: { name: piece.name, arguments: '' } })
        else t.same([id, type, piece.name], [undefined, undefined, undefined], 'only the first piece says whose it is')
        const call = calls[index]
        if (call !== undefined) call.function.arguments += piece.arguments
      }
    }
    t.same(
      calls.map(call => call.function),
      whole.message.tool_calls?.map(call => call.function)
    )
    for (const { id, type } of calls) t.match([id, type], [/^call_[0-9a-f]{24}$/, 'function'])
  })

  await t.test('left to the model, an answer without calls is text; with a format it is one or the other', async t => {
    const free = await choiceOf({ max_tokens: 20, mesh: { stages: 2 } })
    t.equal(free.message.tool_calls, undefined)
    t.type(free.message.content, 'string')
    const json_schema = {
      name: 'x',
      schema: { type: 'object', properties: { capital: { const: 'Paris' } }, required: ['capital'] }
    }
    const held = await choiceOf({ response_format: { type: 'json_schema', json_schema } })
    if (held.message.content === null) t.ok((held.message.tool_calls?.length ?? 0) > 0)
    else t.same(JSON.parse(held.message.content), { capital: 'Paris' })
  })

  await t.test('a conversation with calls and their answers goes on', async t => {
    const call = { id: 'call_1', type: 'function', function: { name: 'now', arguments: '{}' } }
    const messages = [
      ...question.messages,
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: '12:00' }
    ]
    const next = await choiceOf({ messages, tools: undefined, max_tokens: 10, mesh: { stages: 3 } })
    t.type(next.message.content, 'string')
  })
})

/** Ids differ from request to request. */
function bare({ message, finish_reason }: Choice): unknown {
  return { content: message.content, calls: message.tool_calls?.map(call => call.function), finish_reason }
}

interface Delta {
  readonly content?: string
  readonly tool_calls?: readonly {
    index: number
    id: string
    type: string
    function: { name: string; arguments: string }
  }[]
}

async function deltasOf(response: Response): Promise<Delta[]> {
  const deltas: Delta[] = []
  const events = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  for await (const { data } of events ?? []) {
    if (data !== '[DONE]') deltas.push(JSON.parse(data).choices[0].delta)
  }
  return deltas
}
