import fc from 'fast-check'
import { CHAT, plainChat } from './chat-ideas.ts'
import { get, type Header, type Idea, post } from './hostile-case.ts'
import { type Scale, someOf } from './scale.ts'
import { hostileText } from './texts.ts'

const ID_PATHS = [
  '/v1/chat/completions/{}',
  '/v1/chat/completions/{}/messages',
  '/v1/requests/{}',
  '/v1/requests/{}/result',
  '/v1/requests/{}/events',
  '/v1/requests/{}/cancel',
  '/v1/responses/{}',
  '/v1/responses/{}/input_items',
  '/v1/responses/{}/cancel',
  '/v1/files/{}',
  '/v1/files/{}/content',
  '/v1/batches/{}',
  '/v1/batches/{}/cancel',
  '/v1/models/{}',
  '/v1/webhooks/{}',
  '/v1/webhooks/{}/deliveries',
  '/v1/admin/keys/{}',
  '/v1/admin/subclouds/{}',
  '/subclouds/{}/v1/models',
  '/subclouds/{}/v1/chat/completions',
  '/{}'
]

const METHODS = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS']

/** What may stand in a path as it is; all else is written in percents, whole or broken. */
function pathId({ characters }: Scale): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(
      '..%2f..%2fetc%2fpasswd',
      '%2e%2e/%2e%2e',
      '..',
      '%00',
      '%',
      '%zz',
      '%c0%ae',
      '%ed%a0%80',
      '__proto__',
      'constructor',
      '*',
      ':id',
      'req_0',
      `req_${'0'.repeat(32)}`,
      `resp_${'f'.repeat(32)}`,
      `chatcmpl-${'f'.repeat(32)}`,
      `file-${'0'.repeat(32)}`,
      '%f0%9f%98%80',
      ';a=b',
      '//'
    ),
    fc.string({ unit: 'binary', maxLength: 40 }).map(text => encodeURIComponent(text.toWellFormed())),
    someOf(Math.min(characters, 12_000)).map(length => 'a'.repeat(length)),
    someOf(Math.min(characters, 3_000)).map(length => '%41'.repeat(length))
  )
}

const ids: Idea = {
  name: 'ids in paths',
  weight: 3,
  drafts: scale =>
    fc
      .tuple(fc.constantFrom(...ID_PATHS), pathId(scale), fc.constantFrom(...METHODS))
      .map(([path, id, method]) => get(path.replace('{}', id), [], method))
}

const LISTS = [
  '/v1/requests',
  '/v1/files',
  '/v1/batches',
  '/v1/usage',
  '/v1/models',
  '/v1/webhooks',
  '/v1/mesh/plan',
  '/v1/mesh/nodes',
  '/v1/admin/keys'
]

const QUERY_NAMES = [
  'limit',
  'after',
  'order',
  'status',
  'endpoint',
  'purpose',
  'from',
  'to',
  'start_time',
  'end_time',
  'group_by',
  'bucket_width',
  'model',
  'stages',
  'subcloud',
  'namespace',
  'async',
  'format',
  '__proto__',
  'a[b]'
]

const queries: Idea = {
  name: 'query strings of lists',
  weight: 3,
  drafts: scale => {
    const value = fc.oneof(
      fc.constantFrom(
        '-1',
        '0',
        '1e9',
        '9007199254740993',
        'NaN',
        'Infinity',
        'null',
        '',
        '%',
        '%00',
        "' OR 1=1 --",
        'asc',
        'tiny-chat',
        'auto'
      ),
      hostileText({ ...scale, characters: 300 }).map(text => encodeURIComponent(text.toWellFormed()))
    )
    const pairs = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.array(fc.tuple(fc.constantFrom(...QUERY_NAMES), value), { minLength: 1, maxLength: 4 })
      },
      {
        weight: 1,
        arbitrary: someOf(Math.min(scale.width, 1_500)).map(count =>
          Array.from({ length: count }, (_, index): [string, string] => [`a${index % 7}`, `${index}`])
        )
      }
    )
    return fc
      .tuple(fc.constantFrom(...LISTS), pairs)
      .map(([path, query]) => get(`${path}?${query.map(([name, text]) => `${name}=${text}`).join('&')}`))
  }
}

/** Values that may stand in a header. */
const headerText = (max: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ maxLength: 40 }),
    someOf(max).map(length => 'h'.repeat(length)),
    fc.constantFrom('', 'null', '*', '../..', 'é', '{}', '; ; ;', 'a, b, c')
  )

const HEADERS = [
  'idempotency-key',
  'host',
  'origin',
  'prefer',
  'accept',
  'accept-encoding',
  'x-client-request-id',
  'x-request-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'authorization',
  'x-api-key',
  'last-event-id',
  'range',
  'if-none-match',
  'expect',
  'connection',
  'upgrade',
  'cookie',
  'traceparent',
  'access-control-request-method'
]

const headers: Idea = {
  name: 'headers',
  weight: 4,
  drafts: scale => {
    const length = Math.min(scale.characters, 20_000)
    const known: readonly Header[] = [
      ['origin', 'https://evil.example'],
      ['origin', 'null'],
      ['origin', 'http://localhost:9'],
      ['host', 'evil.example'],
      ['host', 'localhost'],
      ['host', '127.0.0.1:1'],
      ['host', '[::1]'],
      ['prefer', 'respond-async'],
      ['expect', '100-continue'],
      ['expect', 'a miracle'],
      ['upgrade', 'websocket'],
      ['last-event-id', '-1'],
      ['last-event-id', '9e99'],
      ['idempotency-key', 'the same for all'],
      ['authorization', 'Bearer'],
      ['authorization', 'Basic YTpi'],
      ['x-api-key', 'rk_0000000000000000_0']
    ]
    const header = fc.oneof(fc.constantFrom(...known), fc.tuple(fc.constantFrom(...HEADERS), headerText(length)))
    const many = someOf(Math.min(scale.width, 2_500)).map(count =>
      Array.from({ length: count }, (_, index): Header => [`x-${index}`, '1'])
    )
    const draft = fc.constantFrom(
      post(CHAT, plainChat({ max_tokens: 2 })),
      get('/v1/models'),
      get('/v1/requests'),
      get('/docs')
    )
    return fc
      .tuple(
        draft,
        fc.oneof(
          { weight: 6, arbitrary: fc.array(header, { minLength: 1, maxLength: 3 }) },
          { weight: 1, arbitrary: many }
        )
      )
      .map(([{ request }, more]) => ({ request: { ...request, headers: [...request.headers, ...more] } }))
  }
}

const preferences: Idea = {
  name: 'jobs that nobody waits for',
  weight: 2,
  drafts: scale =>
    fc
      .tuple(
        fc.constantFrom('idempotency-key', 'prefer'),
        headerText(300),
        fc.boolean(),
        hostileText({ ...scale, characters: 400 })
      )
      .map(([name, value, twice, content]) => {
        const header: Header = [name, name === 'prefer' ? 'respond-async' : value]
        const body = plainChat({ max_tokens: 2, messages: [{ role: 'user', content }] })
        return post(CHAT, body, twice ? [header, header] : [header])
      })
}

/** Of paths, query strings and headers. */
export const routeIdeas: readonly Idea[] = [ids, queries, headers, preferences]
