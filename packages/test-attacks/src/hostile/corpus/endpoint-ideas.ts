import fc from 'fast-check'
import { type Body, plainChat, withOddFields } from './chat-ideas.ts'
import { type Idea, post, SERVED } from './hostile-case.ts'
import { mostly, type Scale, someOf, upTo } from './scale.ts'
import { hostileObjectSchema, hostileSchema } from './schemas.ts'
import { hostileName, hostileText } from './texts.ts'
import { boundNumbers, hostileValue, oddType } from './values.ts'

const plainCompletion: Body = { model: SERVED.chat, prompt: 'The capital of', max_tokens: 2, temperature: 0 }

const completions: Idea = {
  name: 'completions',
  weight: 3,
  drafts: scale => {
    const prompt = fc.oneof(
      hostileText(scale),
      fc.array(hostileText({ ...scale, characters: 300 }), { maxLength: 6 }),
      someOf(scale.width * 20).map(length => Array.from({ length }, (_, index) => index % 768)),
      fc.array(fc.oneof(fc.nat(800), boundNumbers), { maxLength: 20 }),
      someOf(Math.min(scale.width, 24)).map(length => Array.from({ length }, () => [1, 2, 3]))
    )
    const fields = [
      'prompt',
      'suffix',
      'max_tokens',
      'echo',
      'logprobs',
      'n',
      'best_of',
      'stop',
      'stream',
      'models',
      'mesh'
    ]
    return fc.oneof(
      fc
        .record(
          { prompt, echo: fc.boolean(), logprobs: upTo(21), n: fc.constantFrom(1, 2) },
          { requiredKeys: ['prompt'] }
        )
        .map(body => post('/v1/completions', { ...plainCompletion, ...body })),
      withOddFields(plainCompletion, fields, scale).map(body => post('/v1/completions', body))
    )
  }
}

const RESPONSE_FIELDS = [
  'input',
  'instructions',
  'previous_response_id',
  'max_output_tokens',
  'include',
  'text',
  'tools',
  'tool_choice',
  'metadata',
  'stream',
  'background',
  'store',
  'truncation',
  'user',
  'conversation',
  'prompt',
  'mesh',
  'models'
]

const plainResponse: Body = { model: SERVED.chat, input: 'Who are you?', max_output_tokens: 4, temperature: 0 }

function responseItems(scale: Scale): fc.Arbitrary<Body[]> {
  const text = hostileText({ ...scale, characters: Math.min(scale.characters, 2_000) })
  const name = mostly(fc.constantFrom('f', 'call_1', 'msg_1'), hostileName(scale))
  const role = mostly(fc.constantFrom('user', 'assistant', 'system', 'developer'), fc.constant('x'))
  const part = fc.record({ type: mostly(fc.constant('input_text'), fc.constant('input_image')), text })
  const message = fc.record({
    type: fc.constant('message'),
    role,
    content: fc.oneof(text, fc.array(part, { maxLength: 3 }))
  })
  const call = fc.record({ type: fc.constant('function_call'), call_id: name, name, arguments: text })
  const output = fc.record({ type: fc.constant('function_call_output'), call_id: name, output: text })
  const other = fc.record({ type: fc.constantFrom('reasoning', 'item_reference', 'x'), id: name })
  return fc.array(fc.oneof({ weight: 4, arbitrary: message }, call, output, other), { minLength: 1, maxLength: 4 })
}

const responses: Idea = {
  name: 'responses',
  weight: 5,
  drafts: scale => {
    const text = hostileSchema(scale).map(schema => ({ format: { type: 'json_schema', name: 'a', schema } }))
    const tools = hostileObjectSchema(scale).map(parameters => [{ type: 'function', name: 'f', parameters }])
    const metadata = mostly(
      upTo(16).map(count =>
        Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`.padEnd(64, 'k'), 'v'.repeat(512)]))
      ),
      fc.dictionary(hostileName({ ...scale, characters: 70 }), hostileText({ ...scale, characters: 520 }), {
        maxKeys: 18
      })
    )
    const fields = {
      metadata,
      background: fc.boolean(),
      store: fc.boolean(),
      stream: fc.boolean(),
      previous_response_id: mostly(fc.constant(null), fc.constantFrom('resp_0', `resp_${'0'.repeat(32)}`, '../..'))
    }
    return fc.oneof(
      fc
        .record(
          { ...fields, input: responseItems(scale), instructions: hostileText({ ...scale, characters: 300 }) },
          { requiredKeys: ['input'] }
        )
        .map(one => post('/v1/responses', { ...plainResponse, ...one })),
      fc
        .record({ ...fields, text }, { requiredKeys: ['text'] })
        .map(one => post('/v1/responses', { ...plainResponse, ...one })),
      fc
        .record({ ...fields, tools, tool_choice: fc.constantFrom('required', 'auto') }, { requiredKeys: ['tools'] })
        .map(one => post('/v1/responses', { ...plainResponse, ...one })),
      fc
        .tuple(
          fc.constantFrom('/v1/responses', '/v1/responses/input_tokens'),
          withOddFields(plainResponse, RESPONSE_FIELDS, scale)
        )
        .map(([path, body]) => post(path, body))
    )
  }
}

const embeddings: Idea = {
  name: 'embeddings',
  weight: 4,
  drafts: scale => {
    const plain = { model: SERVED.encoder, input: 'a' }
    const input = fc.oneof(
      hostileText(scale),
      fc.array(hostileText({ ...scale, characters: Math.ceil(scale.characters / 8) }), { maxLength: 8 }),
      someOf(Math.min(scale.width, 2_100)).map(length => Array.from({ length }, (_, index) => `number ${index}`)),
      someOf(scale.width * 10).map(length => Array.from({ length }, (_, index) => index % 300)),
      fc.array(fc.array(fc.oneof(fc.nat(300), boundNumbers), { maxLength: 8 }), { maxLength: 8 })
    )
    return fc.oneof(
      fc
        .record(
          {
            input,
            encoding_format: fc.constantFrom('float', 'base64', 'x'),
            dimensions: fc.constantFrom(1, 32, 33, 0, 2 ** 31)
          },
          { requiredKeys: ['input'] }
        )
        .map(fields => post('/v1/embeddings', { ...plain, ...fields })),
      withOddFields(plain, ['model', 'input', 'encoding_format', 'dimensions', 'mesh', 'models', 'user'], scale).map(
        body => post('/v1/embeddings', body)
      )
    )
  }
}

const inlineBatches: Idea = {
  name: 'batches in one call',
  weight: 3,
  drafts: scale => {
    const body = fc.oneof(
      fc.constant(plainChat({ max_tokens: 2 })),
      hostileSchema(scale).map(schema =>
        plainChat({ max_tokens: 2, response_format: { type: 'json_schema', json_schema: { name: 'a', schema } } })
      ),
      withOddFields(
        plainChat({ max_tokens: 2 }),
        ['messages', 'tools', 'n', 'stop', 'stream', 'mesh', 'models'],
        scale
      ),
      hostileValue(scale)
    )
    const line = fc.record(
      {
        custom_id: fc.oneof(hostileName(scale), fc.uuid()),
        method: fc.constantFrom('POST', 'GET'),
        url: fc.constantFrom(
          '/v1/chat/completions',
          '/v1/embeddings',
          '/v1/batch',
          '/v1/batches',
          '/v1/responses',
          '/',
          ''
        ),
        body
      },
      { requiredKeys: ['custom_id', 'url', 'body'] }
    )
    const requests = fc.oneof(
      { weight: 6, arbitrary: fc.array(line, { maxLength: 5 }) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(line, someOf(Math.min(scale.width, 1_001)))
          .map(([one, count]) =>
            Array.from({ length: count }, (_, index) => ({ ...one, custom_id: `${index}`, body: { model: 'x' } }))
          )
      },
      { weight: 1, arbitrary: oddType }
    )
    return requests.map(list => post('/v1/batch', { requests: list }))
  }
}

const batches: Idea = {
  name: 'batches of files that are not there',
  weight: 1,
  drafts: scale =>
    fc
      .record(
        {
          input_file_id: fc.oneof(hostileName(scale), fc.constantFrom('file-0', '../../store.sqlite')),
          endpoint: fc.oneof(fc.constantFrom('/v1/chat/completions', '/v1/batches', '/healthz'), hostileName(scale)),
          completion_window: fc.constantFrom('24h', '1h'),
          metadata: hostileValue(scale),
          output_expires_after: oddType
        },
        { requiredKeys: ['input_file_id', 'endpoint'] }
      )
      .map(body => post('/v1/batches', { completion_window: '24h', ...body }))
}

const webhooks: Idea = {
  name: 'webhooks',
  weight: 1,
  drafts: scale => {
    const url = fc.oneof(
      fc.constantFrom(
        'http://127.0.0.1:1/',
        'https://127.0.0.1/',
        'https://[::ffff:127.0.0.1]/',
        'https://169.254.169.254/latest/meta-data',
        'https://0x7f000001/',
        'https://2130706433/',
        'https://localhost.localdomain/',
        'https://user:password@hook.invalid/',
        'https://hook.invalid:0/',
        'https://hook.invalid/\r\nx: y',
        'https://xn--a.invalid/',
        'file:///etc/passwd',
        'javascript:alert(1)',
        'https://',
        `https://${'a.'.repeat(130)}invalid/`
      ),
      fc.webUrl({ withQueryParameters: true }).map(one => one.replace(/^https?:\/\/[^/?#]+/, 'https://hook.invalid')),
      hostileText({ ...scale, characters: 3_000 })
    )
    return fc
      .record(
        {
          url,
          events: fc.oneof(fc.constant(['job.failed']), oddType),
          description: hostileText({ ...scale, characters: 200 })
        },
        { requiredKeys: ['url'] }
      )
      .map(body => post('/v1/webhooks', body))
  }
}

/** Of every endpoint that takes JSON but chat completions. */
export const endpointIdeas: readonly Idea[] = [completions, responses, embeddings, inlineBatches, batches, webhooks]
