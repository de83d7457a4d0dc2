import { once } from 'node:events'
import { request } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const BODY_BYTES_MAX = 200_000
const mesh = await startScriptedMesh(1, { limits: { bodyBytesMax: BODY_BYTES_MAX } })
t.teardown(() => mesh[Symbol.asyncDispose]())
const { httpUrl } = mesh.coordinator

const question = JSON.stringify({ ...QUESTION, max_tokens: 2 })
const encoders = { gzip: gzipSync, 'x-gzip': gzipSync, GZIP: gzipSync, deflate: deflateSync, br: brotliCompressSync }

async function send(encoding: string, body: Uint8Array, path = CHAT) {
  const response = await fetch(`${httpUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': encoding },
    body: new Uint8Array(body)
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

t.test('compressed bodies are answered as what they inflate to', async t => {
  for (const [encoding, encode] of Object.entries(encoders)) {
    const { status, body } = await send(encoding, encode(question))
    t.equal(status, 200, `${encoding} ${JSON.stringify(body.error ?? '')}`)
  }
  t.equal((await send('identity', Buffer.from(question))).status, 200)
  const other = await send('gzip', gzipSync(JSON.stringify({ model: 'tiny-chat', input: 'Hi' })), '/v1/responses')
  t.equal(other.status, 200, 'on every route')
  const wrong = await send('gzip', gzipSync('{"model":'))
  t.equal(wrong.status, 400)
  t.match(wrong.body.error.message, /not JSON/)
})

t.test('other encodings are 415, and the answer says which are taken', async t => {
  for (const encoding of ['zstd', 'compress', 'gzip, br', 'constructor']) {
    const { status, headers, body } = await send(encoding, Buffer.from(question))
    t.equal(status, 415, encoding)
    t.equal(headers.get('accept-encoding'), 'gzip, deflate, br')
    t.match(body.error, { code: 'unsupported_content_encoding', param: 'content-encoding' })
  }
  const form = new FormData()
  form.set('purpose', 'batch')
  const upload = await fetch(`${httpUrl}/v1/files`, {
    method: 'POST',
    headers: { 'content-encoding': 'gzip' },
    body: form
  })
  t.equal(upload.status, 415, 'forms are spooled as they come')
  t.equal(upload.headers.get('accept-encoding'), 'identity')
})

t.test('what does not inflate is said to be so', async t => {
  for (const [name, body] of Object.entries({
    'plain text': Buffer.from(question),
    'cut off': gzipSync(question).subarray(0, 20),
    'of another encoding': deflateSync(question)
  })) {
    const answer = await send('gzip', body)
    t.equal(answer.status, 400, name)
    t.match(answer.body.error.message, /not valid gzip/, name)
  }
})

t.test('a body counts with what it inflates to, and no more than the limit is inflated', async t => {
  // a gigabyte of spaces in a megabyte would take seconds to inflate
  const bombs = {
    gzip: Buffer.concat(Array.from({ length: 12 }, () => gzipSync(Buffer.alloc(16_000_000, ' ')))),
    br: brotliCompressSync(Buffer.alloc(64_000_000, ' '))
  }
  for (const [encoding, bomb] of Object.entries(bombs)) {
    const { status, body } = await send(encoding, bomb)
    t.equal(status, 413, `${encoding} of ${bomb.length} bytes`)
    t.equal(body.error.code, 'request_too_large')
  }
  const fits = JSON.stringify({ ...QUESTION, max_tokens: 2, pad: 'x'.repeat(BODY_BYTES_MAX - 1000) })
  t.equal((await send('gzip', gzipSync(fits))).status, 200, 'one that fits is answered')
})

t.test('compressed bytes that stand for nothing are bounded too', async t => {
  // empty members, one after the other, in chunks whose number the server is not told
  const nothing = Buffer.concat(Array.from({ length: 1000 }, () => gzipSync('')))
  const sending = request(`${httpUrl}${CHAT}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }
  })
  for (let at = 0; at < 20; at++) sending.write(nothing)
  sending.end()
  const [response] = await once(sending, 'response')
  t.equal(response.statusCode, 413)
  response.resume()
  await once(response, 'end')
})

t.test('a client that leaves in the midst of a body takes nothing with it', async t => {
  const sending = request(`${httpUrl}${CHAT}`, {
    method: 'POST',
    headers: { 'content-encoding': 'gzip', 'content-length': '1000' }
  })
  sending.on('error', () => {})
  sending.write(gzipSync(question).subarray(0, 10))
  await once(sending, 'socket')
  sending.destroy()
  t.equal((await send('gzip', gzipSync(question))).status, 200)
})

t.test('a broken body that nobody reads ends nothing but its own request', async t => {
  const { httpUrl } = mesh.coordinator
  const headers = { 'content-encoding': 'gzip' }
  for (const [path, body] of [
    ['/v1/nothing', 'no gzip'],
    ['/v1/chat/completions', 'x'.repeat(5 * 1024 * 1024)]
  ] as const) {
    // the server may hang up before all of it is sent
    await fetch(`${httpUrl}${path}`, { method: 'POST', headers, body }).then(
      response => response.text(),
      () => ''
    )
    t.equal((await fetch(`${httpUrl}/healthz`)).status, 200, path)
  }
})
