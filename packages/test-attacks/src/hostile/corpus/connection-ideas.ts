import fc from 'fast-check'
import { CHAT, plainChat } from './chat-ideas.ts'
import type { Draft, Idea, Manner } from './hostile-case.ts'
import { post } from './hostile-case.ts'
import { someOf } from './scale.ts'
import { hostileSchema } from './schemas.ts'

const pauses = fc.constantFrom(1, 20, 200, 1_500)

const manners: fc.Arbitrary<Manner> = fc.oneof(
  fc.record({ kind: fc.constant('cut'), share: fc.constantFrom(0, 0.5, 0.99), waitMs: pauses }),
  fc.record({ kind: fc.constant('hang-up'), afterMs: fc.constantFrom(0, 1, 5, 20, 100, 500) }),
  fc.record({ kind: fc.constant('slow-send'), pieces: fc.constantFrom(2, 10), pauseMs: fc.constantFrom(1, 50, 150) }),
  fc.record({ kind: fc.constant('slow-read'), pauseMs: fc.constantFrom(5, 50, 300) })
)

/** Answers that take a while, so that somebody can go in the midst of them. */
const slowClients: Idea = {
  name: 'clients that are slow or gone',
  weight: 6,
  drafts: scale => {
    const body = fc.oneof(
      fc.boolean().map(stream => plainChat({ stream, max_tokens: 200, ignore_eos: true })),
      fc.constant(
        plainChat({
          stream: true,
          max_tokens: 60,
          n: 4,
          ignore_eos: true,
          temperature: 1,
          logprobs: true,
          top_logprobs: 20
        })
      ),
      hostileSchema(scale).map(schema =>
        plainChat({
          stream: true,
          max_tokens: 100,
          response_format: { type: 'json_schema', json_schema: { name: 'a', schema } }
        })
      ),
      fc.constant(
        plainChat({
          models: ['tiny-chat', 'tiny-chat'],
          strategy: 'all',
          stream: true,
          max_tokens: 60,
          ignore_eos: true
        })
      )
    )
    const draft = fc.oneof(
      { weight: 4, arbitrary: body.map(one => post(CHAT, one)) },
      {
        weight: 1,
        arbitrary: fc.constant(
          post('/v1/responses', {
            model: 'tiny-chat',
            input: 'a',
            stream: true,
            max_output_tokens: 100,
            ignore_eos: true
          })
        )
      },
      {
        weight: 1,
        arbitrary: someOf(60).map(count =>
          post('/v1/batch', {
            requests: Array.from({ length: count }, (_, index) => ({
              custom_id: `${index}`,
              url: CHAT,
              body: plainChat({ max_tokens: 4 })
            }))
          })
        )
      },
      {
        weight: 1,
        arbitrary: someOf(Math.min(scale.width, 600)).map(count =>
          post('/v1/embeddings', {
            model: 'tiny-encoder',
            input: Array.from({ length: count }, (_, index) => `number ${index}`)
          })
        )
      }
    )
    return fc.tuple(draft, manners).map(([{ request }, manner]) => ({ request, manner }))
  }
}

const RAW = [
  'GET / HTTP/1.1\r\n\r\n',
  'GET / HTTP/9.9\r\nhost: a\r\n\r\n',
  'GET /healthz HTTP/1.0\r\n\r\n',
  'GARBAGE\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'GET /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
  'GET http://evil.example/v1/models HTTP/1.1\r\nhost: a\r\n\r\n',
  'CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n',
  'TRACE / HTTP/1.1\r\nhost: a\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n',
  'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n',
  'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n{}',
  'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n{}  ',
  'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
  'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n',
  'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n',
  'GET /v1/models HTTP/1.1\r\nhost: a\r\nx: \u0000\r\n\r\n',
  'GET /v1/models HTTP/1.1\r\n host: a\r\n\r\n',
  'GET /v1/models HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: AAAA\r\n\r\n',
  'GET /v1/\u00e9 HTTP/1.1\r\nhost: a\r\n\r\n'
].map(text => Uint8Array.from(text, letter => letter.charCodeAt(0)))

/** Bytes that are hardly HTTP, or not at all. */
const broken: Idea = {
  name: 'broken HTTP',
  weight: 3,
  drafts: ({ characters, width }) => {
    const bytes = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...RAW) },
      { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 300 }) },
      {
        weight: 1,
        arbitrary: someOf(Math.min(characters, 100_000)).map(length =>
          new TextEncoder().encode(`GET /${'a'.repeat(length)} HTTP/1.1\r\nhost: a\r\n\r\n`)
        )
      },
      {
        weight: 1,
        arbitrary: someOf(width * 10).map(count =>
          new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: a\r\n${'x: y\r\n'.repeat(count)}\r\n`)
        )
      },
      {
        weight: 1,
        arbitrary: someOf(Math.min(width, 200)).map(count =>
          new TextEncoder().encode('GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(count))
        )
      }
    )
    return bytes.map((raw): Draft => ({ request: { method: '', path: '', headers: [], raw } }))
  }
}

/** Of how bytes come and go. */
export const connectionIdeas: readonly Idea[] = [slowClients, broken]
