import assert from 'node:assert/strict'
import { chatPieceSchema } from '@resultity/openai'
import type { Job, JobEvent, JsonValue } from '@resultity/store'
import { openAiErrors } from '@resultity/test-api'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { finished, responseOf } from '../src/response-object.ts'
import { ResponseOutput } from '../src/response-output.ts'
import type { ResponseEvent, ResponseObject } from '../src/response-schema.ts'
import { ResponseView } from '../src/response-view.ts'

const HEX = 'a1'.repeat(16)

function jobWith(request: object, fields: Partial<Job> = {}): Job {
  return {
    id: `req_${HEX}`,
    endpoint: '/v1/responses',
    namespace: 'default',
    keyId: null,
    class: 'interactive',
    lane: 'model:tiny-chat',
    body: { request: { model: 'tiny-chat', input: 'Hi', ...request }, streamed: true, detached: false },
    expiresAtMs: 0,
    attemptsMax: 3,
    state: 'running',
    attempts: 1,
    interruptions: 0,
    nodesLost: 0,
    cancelRequested: false,
    eventCount: 0,
    result: null,
    error: null,
    usage: null,
    createdAtMs: 1_700_000_000_123,
    startedAtMs: null,
    endedAtMs: null,
    ...fields
  }
}

/** A job's log of these choice entries, as the store keeps it. */
function logOf(choices: readonly object[]): JobEvent[] {
  const entries: [string, JsonValue][] = [
    ['queued', {}],
    ['started', {}],
    ['begun', { headers: {} }],
    ...choices.map((choice): [string, JsonValue] => ['choice', { index: 0, ...choice } as JsonValue]),
    ['usage', { promptTokens: 3, completionTokens: 2 }],
    ['succeeded', {}]
  ]
  return entries.map(([type, data], index) => ({ number: index + 1, type, data }))
}

const text = (content: string, logprobs: JsonValue = null) => ({
  delta: { content },
  finish_reason: null,
  logprobs
})
const finish = (reason: string) => ({ delta: {}, finish_reason: reason, logprobs: null })
const call = (index: number, id: string, name: string) => ({
  delta: { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] },
  finish_reason: null,
  logprobs: null
})
const argument = (index: number, piece: string) => ({
  delta: { tool_calls: [{ index, function: { arguments: piece } }] },
  finish_reason: null,
  logprobs: null
})

/** All events of a log whose job ended with what the log says. */
function eventsOf(job: Job, choices: readonly object[], log = logOf(choices)): ResponseEvent[] {
  const view = new ResponseView(job)
  return [...view.begin(), ...log.flatMap(entry => view.render(entry)), ...view.end(succeeded(job, choices))]
}

function succeeded(job: Job, choices: readonly object[]): Job {
  const output = new ResponseOutput(job)
  for (const choice of choices) output.take(chatPieceSchema.parse(choice))
  const usage = { promptTokens: 3, completionTokens: 2 }
  const finishReason = choices.map(choice => chatPieceSchema.parse(choice).finish_reason).at(-1) ?? 'stop'
  const { request } = job.body as { request: ResponseObject }
  const body = finished(
    job,
    { model: request.model, input: 'Hi' },
    { output: output.items, finishReason, usage, nowMs: 1_700_000_001_000 }
  )
  return { ...job, state: 'succeeded', result: { status: 200, headers: {}, body: body as JsonValue }, usage }
}

function typesOf(events: readonly ResponseEvent[]): string[] {
  return events.map(({ type }) => type.replace(/^response\./, ''))
}

const eventSchemas: Readonly<Record<string, string>> = {
  'response.created': 'ResponseCreatedEvent',
  'response.queued': 'ResponseQueuedEvent',
  'response.in_progress': 'ResponseInProgressEvent',
  'response.output_item.added': 'ResponseOutputItemAddedEvent',
  'response.output_item.done': 'ResponseOutputItemDoneEvent',
  'response.content_part.added': 'ResponseContentPartAddedEvent',
  'response.content_part.done': 'ResponseContentPartDoneEvent',
  'response.output_text.delta': 'ResponseTextDeltaEvent',
  'response.output_text.done': 'ResponseTextDoneEvent',
  'response.function_call_arguments.delta': 'ResponseFunctionCallArgumentsDeltaEvent',
  'response.function_call_arguments.done': 'ResponseFunctionCallArgumentsDoneEvent',
  'response.completed': 'ResponseCompletedEvent',
  'response.incomplete': 'ResponseIncompleteEvent',
  'response.failed': 'ResponseFailedEvent',
  error: 'ResponseErrorEvent'
}

/** What breaks OpenAI's description of each event. */
function breaches(events: readonly ResponseEvent[]): string[] {
  return events.flatMap(event => openAiErrors(eventSchemas[event.type] ?? 'none', event))
}

t.test('a text streams as an item with one part, in the order that clients need', t => {
  const logprobs = {
    content: [{ token: 'H', logprob: -0.5, bytes: [72], top_logprobs: [{ token: 'H', logprob: -0.5, bytes: [72] }] }]
  }
  const events = eventsOf(jobWith({}), [text('H', logprobs), text('i.'), finish('stop')])
  t.same(breaches(events), [])
  t.same(typesOf(events), [
    'created',
    'in_progress',
    'output_item.added',
    'content_part.added',
    'output_text.delta',
    'output_text.delta',
    'output_text.done',
    'content_part.done',
    'output_item.done',
    'completed'
  ])
  t.same(
    events.map(event => event.sequence_number),
    [...events.keys()],
    'numbered from 0 without a gap'
  )
  const id = `msg_${HEX}_out0`
  t.match(events[4], { item_id: id, output_index: 0, content_index: 0, delta: 'H', logprobs: [{ token: 'H' }] })
  t.match(events[6], { item_id: id, text: 'Hi.' })
  t.match(events.at(-1), {
    response: {
      id: `resp_${HEX}`,
      status: 'completed',
      created_at: 1_700_000_000,
      completed_at: 1_700_000_001,
      output: [{ id, type: 'message', status: 'completed', content: [{ type: 'output_text', text: 'Hi.' }] }],
      usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 }
    }
  })
  t.end()
})

t.test('function calls are items of their own, after what was said before them', t => {
  const choices = [
    text('Let me look.'),
    call(0, 'call_a', 'weather'),
    argument(0, '{"city":'),
    argument(0, '"Rome"}'),
    call(1, 'call_b', 'time'),
    argument(1, '{}'),
    finish('tool_calls')
  ]
  const events = eventsOf(jobWith({}), choices)
  t.same(breaches(events), [])
  const added = events.filter(event => event.type === 'response.output_item.added')
  t.same(
    added.map(event => event.output_index),
    [0, 1, 2]
  )
  const done = events.filter(event => event.type === 'response.output_item.done').map(event => event.item)
  t.match(done, [
    { type: 'message', content: [{ text: 'Let me look.' }] },
    { type: 'function_call', call_id: 'call_a', name: 'weather', arguments: '{"city":"Rome"}', status: 'completed' },
    { type: 'function_call', call_id: 'call_b', name: 'time', arguments: '{}' }
  ])
  const final = events.at(-1)?.response
  t.same((final as ResponseObject).output, done, 'the response ends with what was streamed')
  t.end()
})

t.test('an answer that was cut short is incomplete, and one of no words is a message all the same', t => {
  const cut = eventsOf(jobWith({}), [text('Hi'), finish('length')])
  t.same(breaches(cut), [])
  t.match(cut.at(-1), {
    type: 'response.incomplete',
    response: {
      status: 'incomplete',
      completed_at: null,
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ status: 'incomplete' }]
    }
  })
  const silent = eventsOf(jobWith({}), [finish('stop')])
  t.same(breaches(silent), [])
  t.match(silent.at(-1), { response: { status: 'completed', output: [{ content: [{ text: '' }] }] } })
  t.end()
})

t.test('in the background it is queued first, and in progress once it is begun', t => {
  const job = jobWith({ background: true })
  const events = eventsOf(job, [text('Hi.'), finish('stop')])
  t.same(breaches(events), [])
  t.same(typesOf(events).slice(0, 4), ['created', 'queued', 'in_progress', 'output_item.added'])
  t.match(events[0], { response: { status: 'queued', background: true } })
  t.match(events[2], { response: { status: 'in_progress' } })
  t.end()
})

t.test('a log without pieces gives the same response, as one piece', t => {
  const choices = [
    text('Hi'),
    text('.'),
    call(0, 'call_a', 'f'),
    argument(0, '{'),
    argument(0, '}'),
    finish('tool_calls')
  ]
  const live = eventsOf(jobWith({}), choices)
  const later = eventsOf(jobWith({}), choices, logOf([]))
  t.same(breaches(later), [])
  t.same(later.at(-1)?.response, live.at(-1)?.response)
  const withoutDeltas = (events: ResponseEvent[]) => typesOf(events).filter(type => !type.endsWith('.delta'))
  t.same(withoutDeltas(later), withoutDeltas(live))
  t.end()
})

t.test('a response that failed or was cancelled says so at the end', t => {
  const error = { code: 'node_lost', message: 'A node died.', param: null }
  const ends = [
    { job: jobWith({}, { state: 'failed', error }), type: 'failed', status: 'failed', code: 'server_error' },
    { job: jobWith({}, { state: 'expired' }), type: 'failed', status: 'failed', code: 'rate_limit_exceeded' },
    {
      job: jobWith({}, { state: 'failed', error: { ...error, code: 'resource_exhausted' } }),
      type: 'failed',
      status: 'failed',
      code: 'rate_limit_exceeded'
    },
    { job: jobWith({}, { state: 'cancelled' }), type: 'incomplete', status: 'cancelled', code: undefined }
  ]
  for (const { job, type, status, code } of ends) {
    const view = new ResponseView(job)
    const events = [...view.begin(), ...view.render({ number: 4, type: 'choice', data: text('Hi') }), ...view.fail(job)]
    t.same(breaches(events), [], type)
    t.match(events.at(-1), { type: `response.${type}`, sequence_number: events.length - 1, response: { status } })
    t.equal(responseOf(job).error?.code, code)
    t.match(openAiErrors('Response', responseOf(job)), [])
  }
  const view = new ResponseView(jobWith({}))
  const seen = view.begin().length
  const broken = view.interrupt(error)
  t.same(breaches([broken]), [])
  t.match(broken, { type: 'error', code: 'node_lost', sequence_number: seen - 1 }, 'whoever comes back misses nothing')
  t.end()
})

t.test('however an answer is cut into pieces, its events add up to it, and any part of them can be had again', t => {
  const pieces = fc.array(fc.string({ maxLength: 6 }), { maxLength: 12 })
  assertProperty(
    fc.property(pieces, fc.boolean(), fc.nat(40), (words, background, after) => {
      const choices = [...words.map(word => text(word)), finish('stop')]
      const job = jobWith({ background })
      const events = eventsOf(job, choices)
      const deltas = events.filter(event => event.type === 'response.output_text.delta').map(event => event.delta)
      assert.equal(deltas.join(''), words.join(''))
      assert.deepEqual(
        eventsOf(job, choices).filter(event => event.sequence_number > after),
        events.slice(after + 1)
      )
    }),
    { numRuns: 50 }
  )
  t.pass('held for every sample')
  t.end()
})
