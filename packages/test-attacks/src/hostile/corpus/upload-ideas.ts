import fc from 'fast-check'
import { CHAT, plainChat } from './chat-ideas.ts'
import type { Draft, Header, Idea } from './hostile-case.ts'
import { type Scale, someOf } from './scale.ts'
import { hostileSchema } from './schemas.ts'
import { hostileText } from './texts.ts'
import { hostileValue, nested, oddType } from './values.ts'

const BOUNDARY = 'hostile-boundary'

interface Part {
  readonly name: string
  readonly filename?: string | undefined
  readonly content: string
}

function form(parts: readonly Part[], { boundary = BOUNDARY, closed = true } = {}): Draft {
  const pieces = parts.map(({ name, filename, content }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"`
    return `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n${content}\r\n`
  })
  const headers: Header[] = [['content-type', `multipart/form-data; boundary=${boundary}`]]
  const body = `${pieces.join('')}${closed ? `--${boundary}--\r\n` : ''}`
  return { request: { method: 'POST', path: '/v1/files', headers, body } }
}

/** A line of a batch's file, right or wrong. */
function line(scale: Scale): fc.Arbitrary<string> {
  const request = (body: unknown) => ({ custom_id: 'a', method: 'POST', url: CHAT, body })
  return fc.oneof(
    hostileSchema(scale).map(schema =>
      JSON.stringify(
        request(
          plainChat({ max_tokens: 2, response_format: { type: 'json_schema', json_schema: { name: 'a', schema } } })
        )
      )
    ),
    hostileText({ ...scale, characters: Math.ceil(scale.characters / 4) }).map(text => text.replaceAll(/[\r\n]/g, ' ')),
    hostileValue(scale).map(value => JSON.stringify(value)),
    hostileValue(scale).map(value => JSON.stringify(request(value))),
    someOf(scale.depth * 40).map(depth => JSON.stringify(request(nested(depth, 'both')))),
    fc.constantFrom('', ' ', '{', '\u0000', '{"custom_id":"a"}')
  )
}

/** The driver makes a batch of every file that was taken. */
const files: Idea = {
  name: 'files of hostile lines, run as batches',
  weight: 4,
  drafts: scale =>
    fc
      .tuple(
        fc.oneof(
          fc.array(line(scale), { maxLength: 6 }),
          someOf(Math.min(scale.width * 5, 9_000)).map(count => Array<string>(count).fill('{}'))
        ),
        fc.constantFrom('\n', '\r\n', '\r', '\n\n'),
        fc.boolean()
      )
      .map(([lines, newline, ended]) =>
        form([
          { name: 'purpose', content: 'batch' },
          { name: 'file', filename: 'batch.jsonl', content: lines.join(newline) + (ended ? newline : '') }
        ])
      )
}

/** Of many equal parts, together. */
const REPEATED_CHARACTERS_MAX = 4_000_000

function repeated(one: Part, count: number): Part[] {
  const fitting = Math.floor(REPEATED_CHARACTERS_MAX / Math.max(1, one.content.length))
  return Array<Part>(Math.min(count, fitting)).fill(one)
}

const forms: Idea = {
  name: 'forms that are none',
  weight: 2,
  drafts: scale => {
    const name = fc.oneof(
      fc.constantFrom(
        'file',
        'purpose',
        'expires_after[seconds]',
        'expires_after[anchor]',
        '__proto__',
        'a'.repeat(200)
      ),
      fc.string({ maxLength: 20 })
    )
    const part = fc.record(
      {
        name: name.map(text => text.replaceAll('"', '%22')),
        filename: fc.constantFrom('a', '../../etc/passwd', '\u0000', 'a'.repeat(2_000), 'é\u202e.txt', ''),
        content: hostileText({ ...scale, characters: Math.min(scale.characters, 100_000) })
      },
      { requiredKeys: ['name', 'content'] }
    )
    const parts = fc.oneof(
      fc.array(part, { maxLength: 5 }),
      fc.tuple(part, someOf(Math.min(scale.width, 500))).map(([one, count]) => repeated(one, count))
    )
    return fc
      .tuple(parts, fc.constantFrom(BOUNDARY, '-', 'x'.repeat(70), 'x'.repeat(4_000)), fc.boolean())
      .map(([list, boundary, closed]) => form(list, { boundary, closed }))
  }
}

const CONTENT_TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'application/json; charset=ibm500',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'multipart/form-data; boundary=',
  'application/octet-stream',
  'application/xml',
  'x',
  ';',
  'application/json, application/json',
  'a/b; c="'
]

/** Bodies that are not what their heading says. */
const contentTypes: Idea = {
  name: 'content types and encodings',
  weight: 3,
  drafts: scale => {
    const body = fc.oneof(
      fc.constant(JSON.stringify(plainChat({ max_tokens: 2 }))),
      oddType.map(value => JSON.stringify(value)),
      fc.constantFrom(
        '',
        '{',
        '[',
        '"',
        'null',
        '{"a":',
        '\ufeff{}',
        '{"a":1,"a":2}',
        '{"__proto__":{"x":1}}',
        '[1,]',
        'NaN',
        "{'a':1}"
      ),
      fc.uint8Array({ maxLength: 200 }),
      someOf(scale.depth * 2_000).map(depth => '['.repeat(depth)),
      someOf(scale.depth * 2_000).map(depth => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)
    )
    const encoding = fc.constantFrom<Header | undefined>(
      undefined,
      undefined,
      ['content-encoding', 'gzip'],
      ['content-encoding', 'br, gzip'],
      ['content-encoding', 'identity'],
      ['content-encoding', 'x']
    )
    return fc
      .tuple(
        fc.constantFrom(CHAT, '/v1/embeddings', '/v1/files', '/v1/batch', '/v1/webhooks'),
        fc.constantFrom(...CONTENT_TYPES),
        body,
        encoding
      )
      .map(([path, type, content, more]) => ({
        request: {
          method: 'POST',
          path,
          headers: [['content-type', type], ...(more === undefined ? [] : [more])],
          body: content
        }
      }))
  }
}

/** Some megabytes over the limit on bodies, and the most that fits it. */
const oversized: Idea = {
  name: 'bodies at and over the limit',
  weight: 1,
  drafts: ({ characters }) =>
    fc
      .tuple(
        fc.constantFrom(CHAT, '/v1/embeddings', '/v1/batch', '/v1/responses'),
        fc.constantFrom(1, 5, 6),
        fc.constantFrom('a', ' ', '{"a":', '[0],')
      )
      .map(([path, times, unit]) => {
        const length = Math.min(characters * times, 5_000_000)
        const filler = unit.repeat(Math.ceil(length / unit.length))
        const body = unit === 'a' ? JSON.stringify(plainChat({ max_tokens: 1, user: filler })) : `{"x":[${filler}`
        return { request: { method: 'POST', path, headers: [['content-type', 'application/json']], body } }
      })
}

/** Of what is not plain JSON. */
export const uploadIdeas: readonly Idea[] = [files, forms, contentTypes, oversized]
