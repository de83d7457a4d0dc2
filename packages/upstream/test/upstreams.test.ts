import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { MeshError } from '@resultity/interface'
import t, { type Test } from 'tap'
import { type RelayWork, Upstreams, type UpstreamsInit } from '../src/index.ts'
import { type Answerer, events, json, type Stub, startStub } from './http-stub.ts'

const CHAT = '/v1/chat/completions'
const silent = { info: () => {}, warn: () => {} }
const models = { object: 'list', data: [{ id: 'qwen', object: 'model', max_model_len: 4096 }] }

/** Lists its models, and answers all else as `answer` says. */
function lister(answer: Answerer): Answerer {
  return (request, response) => (request.path === '/v1/models' ? json(response, models) : answer(request, response))
}

async function beside(t: Test, stubs: readonly Stub[], init: Partial<UpstreamsInit> = {}): Promise<Upstreams> {
  const upstreams = new Upstreams({ targets: stubs.map(({ base }) => base), logger: silent, ...init })
  t.teardown(() => upstreams.close())
  await upstreams.start()
  return upstreams
}

function taken(upstreams: Upstreams, body: object, model = 'qwen'): RelayWork {
  return upstreams.take({ endpoint: CHAT, model, body: new TextEncoder().encode(JSON.stringify(body)) })
}

/** The events and the result of a request, or the code of what it failed with. */
async function told(upstreams: Upstreams, body: object, signal?: AbortSignal) {
  using work = taken(upstreams, body)
  const heard: unknown[] = []
  const onEvent = async (event: Uint8Array): Promise<void> => {
    heard.push(JSON.parse(new TextDecoder().decode(event)))
  }
  try {
    const result = new TextDecoder().decode(await work.run({ onEvent, ...(signal === undefined ? {} : { signal }) }))
    return { heard, result }
  } catch (error) {
    const { code, message } = MeshError.from(error)
    return { heard, code, message }
  }
}

t.test('a request goes to the server with its key and the model\u2019s own name', async t => {
  const stub = await startStub(
    t,
    lister((_, response) => json(response, { choices: [] }))
  )
  const upstreams = await beside(t, [stub], { key: 'secret' })
  t.strictSame(upstreams.offered(), [
    {
      name: 'qwen',
      endpoints: [CHAT, '/v1/completions', '/v1/embeddings'],
      jobsMax: 8,
      contextLength: 4096
    }
  ])
  t.strictSame(await told(upstreams, { model: 'another', messages: [] }), { heard: [], result: '{"choices":[]}' })
  t.match(stub.heard.at(-1), {
    method: 'POST',
    path: CHAT,
    key: 'Bearer secret',
    body: '{"model":"qwen","messages":[]}'
  })
  t.equal(upstreams.running, 0)
})

t.test('events come one by one, up to the last', async t => {
  const stub = await startStub(
    t,
    lister((_, response) => {
      events(response, '{"n":1}', '{"n":2}', '[DONE]')
      response.end()
    })
  )
  const upstreams = await beside(t, [stub])
  t.strictSame(await told(upstreams, { stream: true }), { heard: [{ n: 1 }, { n: 2 }], result: '' })
})

t.test('what is no answer fails by code, and what was told before stands', async t => {
  let answer: Answerer = () => {}
  const stub = await startStub(
    t,
    lister((request, response) => answer(request, response))
  )
  const limits = { eventBytesMax: 1000, answerBytesMax: 10_000, silenceMs: 50 }
  const upstreams = await beside(t, [stub], { limits })
  const elsewhere = await startStub(t, (_, response) => json(response, {}))
  const cases: Record<string, readonly [body: object, code: string, message: RegExp, Answerer]> = {
    'a redirect is not followed': [
      {},
      'upstream_failed',
      /sends us elsewhere/,
      (_, response) => {
        response.writeHead(307, { location: elsewhere.base }).end()
      }
    ],
    'a refusal of the request': [
      {},
      'invalid_request',
      /answered 400: too {2}\[31m hot/,
      (_, response) => {
        json(response, { error: { message: 'too \u001b[31m hot' } }, 400)
      }
    ],
    'a prompt that is too long': [
      {},
      'context_length_exceeded',
      /400/,
      (_, response) => {
        json(response, { error: { message: 'long', code: 'context_length_exceeded' } }, 400)
      }
    ],
    'a busy server': [{}, 'resource_exhausted', /503/, (_, response) => json(response, {}, 503)],
    'a key that is wrong': [{}, 'upstream_failed', /401/, (_, response) => json(response, {}, 401)],
    'no JSON': [
      {},
      'upstream_failed',
      /no JSON/,
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end('<html>')
      }
    ],
    'an answer that is too long': [
      {},
      'upstream_failed',
      /longer than 10000/,
      (_, response) => {
        json(response, { text: 'x'.repeat(20_000) })
      }
    ],
    'an answer at once where events were asked for': [
      { stream: true },
      'upstream_failed',
      /gave none/,
      (_, response) => {
        json(response, {})
      }
    ],
    'an event that is no JSON': [
      { stream: true },
      'upstream_failed',
      /no JSON object/,
      (_, response) => {
        events(response, 'garbage')
      }
    ],
    'a line without an end': [
      { stream: true },
      'upstream_failed',
      /event .* longer than 1000/,
      (_, response) => {
        events(response)
        response.write(`data: ${'x'.repeat(5000)}`)
      }
    ],
    'lines without an end that say nothing': [
      { stream: true },
      'upstream_failed',
      /longer than/,
      (_, response) => {
        events(response)
        response.write('nothing\n'.repeat(500))
      }
    ],
    'bytes that are no text': [
      { stream: true },
      'upstream_failed',
      /UTF-8/,
      (_, response) => {
        events(response)
        response.write(Buffer.from([0x64, 0xff, 0xfe, 0x0a]))
      }
    ],
    'an error within the answer': [
      { stream: true },
      'upstream_failed',
      /broke its answer off: no memory/,
      (_, response) => {
        events(response, '{"error":{"message":"no memory"}}')
      }
    ],
    'an end without the last event': [
      { stream: true },
      'upstream_failed',
      /before it was whole/,
      (_, response) => {
        events(response)
        response.end()
      }
    ],
    'silence within an answer': [
      { stream: true },
      'upstream_failed',
      /silent for 50 ms/,
      (_, response) => {
        events(response, '{}')
      }
    ],
    'a connection that breaks': [
      { stream: true },
      'upstream_failed',
      /connection failed/,
      (_, response) => {
        events(response, '{}')
        response.socket?.destroy()
      }
    ]
  }
  for (const [name, [body, code, message, way]] of Object.entries(cases)) {
    answer = way
    const outcome = await told(upstreams, body)
    t.equal(outcome.code, code, name)
    t.match(outcome.message, message, name)
  }
  t.strictSame(elsewhere.heard, [], 'nobody was asked that the operator did not name')
})

t.test('an answer may take long to begin, whole or by events', async t => {
  // nothing goes by fetch, which gives an answer up whose head has not come after five minutes
  const fetched = t.capture(globalThis, 'fetch')
  const limits = { silenceMs: 1 }
  const stub = await startStub(
    t,
    lister(async ({ body }, response) => {
      const streamed = body.includes('"stream":true')
      if (streamed) response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      // longer than silence may be within an answer
      await setTimeout(50)
      if (streamed) response.end('data: {"n":1}\n\ndata: [DONE]\n\n')
      else json(response, { n: 1 })
    })
  )
  const upstreams = await beside(t, [stub], { limits })
  t.strictSame(await told(upstreams, {}), { heard: [], result: '{"n":1}' })
  t.strictSame(await told(upstreams, { stream: true }), { heard: [{ n: 1 }], result: '' })
  t.strictSame(fetched(), [])
})

t.test('a server that is busy or fails at one look is looked at again before it is left', async t => {
  const looks = [200, 500, 429, 200, 503, 502, 504, 200, 401]
  const left: number[] = []
  let look = 0
  let upstreams: Upstreams | undefined
  const over = Promise.withResolvers<void>()
  const stub = await startStub(t, (_, response) => {
    // what is offered after the look before this one
    if (upstreams?.offered().length === 0) left.push(look)
    const status = looks[look++]
    if (status === undefined) over.resolve()
    json(response, status === 200 ? models : {}, status ?? 200)
  })
  upstreams = await beside(t, [stub], { limits: { lookEveryMs: 1, missesMax: 3 } })
  await over.promise
  t.strictSame(left, [7, 9], 'after the third failure in a row, and at once where the key is wrong')
})

t.test('who leaves ends the request at the server', async t => {
  const left = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const stub = await startStub(
    t,
    lister((_, response) => {
      events(response, '{}')
      begun.resolve()
      void once(response, 'close').then(() => left.resolve())
    })
  )
  const upstreams = await beside(t, [stub])
  const client = new AbortController()
  const outcome = told(upstreams, { stream: true }, client.signal)
  await begun.promise
  client.abort(new MeshError('canceled', 'the client left'))
  t.match(await outcome, { code: 'canceled' })
  await left.promise
})

t.test('a server that goes away offers nothing, and what another has is served by that', async t => {
  const first = await startStub(
    t,
    lister((_, response) => json(response, { from: 'first' }))
  )
  const second = await startStub(
    t,
    lister((_, response) => json(response, { from: 'second' }))
  )
  const changed = Promise.withResolvers<void>()
  const upstreams = await beside(t, [first, second], { limits: { lookEveryMs: 10 } })
  t.match(await told(upstreams, {}), { result: '{"from":"first"}' })
  await first.stop()
  t.match(await told(upstreams, {}), { code: 'upstream_failed', message: /ECONNREFUSED/ })
  await new Promise<void>(resolve => {
    const look = async (): Promise<void> => {
      const { result } = await told(upstreams, {})
      if (result === '{"from":"second"}') resolve()
      else setImmediate(look)
    }
    void look()
  })
  upstreams.onChange(() => changed.resolve())
  await second.stop()
  await changed.promise
  t.strictSame(upstreams.offered(), [])
  t.throws(() => taken(upstreams, {}), { code: 'unavailable' })
})

t.test('places, endpoints and bodies are bounded', async t => {
  const stub = await startStub(
    t,
    lister((_, response) => json(response, {}))
  )
  const upstreams = await beside(t, [stub], { jobsMax: 1 })
  const body = new TextEncoder().encode('{}')
  {
    using _held = taken(upstreams, {})
    t.throws(() => taken(upstreams, {}), { code: 'resource_exhausted' })
  }
  t.equal(upstreams.running, 0)
  t.throws(() => upstreams.take({ endpoint: '/v1/../admin', model: 'qwen', body }), { code: 'not_implemented' })
  t.throws(() => upstreams.take({ endpoint: CHAT, model: 'http://example.org', body }), { code: 'unavailable' })
  const list = new TextEncoder().encode('[]')
  t.throws(() => upstreams.take({ endpoint: CHAT, model: 'qwen', body: list }), { code: 'protocol_violation' })
  t.strictSame(
    stub.heard.map(({ path }) => path),
    ['/v1/models'],
    'it was looked at and asked for nothing'
  )
})
