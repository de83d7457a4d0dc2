import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startSwarm, swarmFor } from '@resultity/testkit'
import t from 'tap'
import { ask, askStreaming, type ChatBody, postChat } from './chat-client.ts'
import { eventually } from './mesh-state.ts'

// a mesh whose node passes requests on to the coordinator of another mesh, which computes, and to a server that does what it should not

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../packages/model/test/fixtures/${name}`, import.meta.url))

const question: ChatBody = {
  model: 'tiny-chat',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
  max_tokens: 8
}

/** What the odd server does with the next request. */
let odd: (response: ServerResponse) => void = () => {}
let redirected = 0

/** A server with one model that answers as a test says. */
async function oddServer(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume()
    if (request.url === '/elsewhere') redirected++
    if (request.url !== '/v1/models') return odd(response)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ data: [{ id: 'odd', max_model_len: 64 }] }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return server
}

const server = await oddServer()
const oddUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const computing = await startSwarm({ nodes: 1, models: ['tiny-chat', `file:${fixture('tiny-encoder')}`] })
t.teardown(() => computing.stop())
const swarm = await swarmFor(t, {
  nodes: 1,
  models: [`file:${fixture('tiny-cross-encoder')}`],
  nodeArgs: [`--upstream=${computing.url}/v1`, `--upstream=${oddUrl}/v1`]
})
const [node] = swarm.nodes
await eventually(
  'the models of both servers',
  async () => (await swarm.api.models()).map(({ id }) => id),
  ids => ['odd', 'tiny-chat', 'tiny-encoder'].every(id => ids.includes(id))
)

/** An event that is the beginning of an answer. */
function begin(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'odd' } }] })}\n\n`)
}

t.test('answers are those of the server, whole and streamed', async t => {
  const theirs = await ask(computing.url, question)
  const ours = await ask(swarm.url, question)
  t.same(ours.answer.choices[0], theirs.answer.choices[0])
  t.same(ours.answer.usage, theirs.answer.usage)
  t.equal(ours.route, node?.peerId)
  const streamed = await askStreaming(swarm.url, { ...question, temperature: 0 })
  t.match(streamed, { text: theirs.answer.choices[0]?.message.content, done: true, error: undefined })
  const scoring = { ...question, logprobs: true, top_logprobs: 2 }
  const scored = await ask(swarm.url, scoring)
  const tokens = scored.answer.choices[0]?.logprobs?.content ?? []
  t.ok(tokens.length > 0)
  for (const token of tokens) t.match(token, { token: String, logprob: Number, top_logprobs: [{}, {}] })
  t.same(tokens, (await ask(computing.url, scoring)).answer.choices[0]?.logprobs?.content)
})

t.test('a tool that must be called is called', async t => {
  const tool = {
    type: 'function',
    function: {
      name: 'weather',
      parameters: { type: 'object', properties: { hot: { type: 'boolean' } }, required: ['hot'] }
    }
  }
  const body = { ...question, max_tokens: 40, seed: 1, tools: [tool], tool_choice: 'required' }
  const calls = async (url: string): Promise<readonly { readonly function: unknown }[]> => {
    const answer = await (await postChat(url, body)).json()
    return answer.choices[0].message.tool_calls
  }
  const ours = await calls(swarm.url)
  t.match(ours, [{ function: { name: 'weather' } }])
  t.same(ours[0]?.function, (await calls(computing.url))[0]?.function)
})

t.test('texts are completed, and become the same vectors', async t => {
  const post = async (url: string, path: string, body: object) => {
    const response = await fetch(`${url}/v1/${path}`, { method: 'POST', body: JSON.stringify(body) })
    return { status: response.status, body: await response.json() }
  }
  const completion = { model: 'tiny-chat', prompt: 'Paris is', max_tokens: 4, temperature: 0 }
  const [ours, theirs] = [
    await post(swarm.url, 'completions', completion),
    await post(computing.url, 'completions', completion)
  ]
  t.equal(ours.status, 200)
  t.same(ours.body.choices, theirs.body.choices)
  const input = { model: 'tiny-encoder', input: ['one', 'two'] }
  const [vectors, expected] = [
    await post(swarm.url, 'embeddings', input),
    await post(computing.url, 'embeddings', input)
  ]
  t.equal(vectors.status, 200)
  t.same(vectors.body.data, expected.body.data)
})

t.test('a client that hangs up ends the answer at the server', async t => {
  const left = Promise.withResolvers<void>()
  odd = response => {
    response.on('close', () => left.resolve())
    begin(response)
  }
  const client = new AbortController()
  const response = await postChat(swarm.url, { ...question, model: 'odd', stream: true }, client.signal)
  await response.body?.getReader().read()
  client.abort()
  await left.promise
  t.pass('the server\u2019s connection is closed')
})

t.test('a server that does what it should not is an error, and the node serves on', async t => {
  const whole: Record<string, (response: ServerResponse) => void> = {
    garbage: response => response.writeHead(200, { 'content-type': 'application/json' }).end('\u001b[2J'),
    'a redirect': response => response.writeHead(302, { location: `${oddUrl}/elsewhere` }).end(),
    'a refusal without reason': response => response.writeHead(500).end(),
    'a connection that breaks': response => response.socket?.destroy()
  }
  for (const [name, way] of Object.entries(whole)) {
    odd = way
    const response = await postChat(swarm.url, { ...question, model: 'odd' })
    t.equal(response.status, 502, name)
    t.match(await response.json(), { error: { code: 'upstream_failed' } }, name)
  }
  t.equal(redirected, 0, 'nobody was asked that the operator did not name')
  const streamed: Record<string, (response: ServerResponse) => void> = {
    'a line without an end': response => {
      begin(response)
      const line = Buffer.alloc(256 * 1024, 'x')
      const more = (): void => {
        if (!response.destroyed) response.write(line, () => setImmediate(more))
      }
      response.write('data: ')
      more()
    },
    'an end within the answer': response => {
      begin(response)
      response.end()
    },
    'a connection that breaks': response => {
      begin(response)
      setImmediate(() => response.socket?.destroy())
    }
  }
  for (const [name, way] of Object.entries(streamed)) {
    odd = way
    const { text, error, done } = await askStreaming(swarm.url, { ...question, model: 'odd' })
    t.match({ text, code: error?.code, done }, { text: 'odd', code: 'upstream_failed', done: false }, name)
  }
  t.equal((await postChat(swarm.url, question)).status, 200)
})

t.test('a server that is killed within an answer ends it, and its models are gone', async t => {
  const stream = await postChat(swarm.url, { ...question, max_tokens: 2000, ignore_eos: true, stream: true })
  t.equal(stream.status, 200)
  await computing.stop()
  t.match(await stream.text(), /"code":"upstream_failed"/)
  await eventually(
    'the advert without its models',
    async () => (await swarm.api.models()).map(({ id }) => id),
    ids => ids.includes('odd') && !ids.includes('tiny-chat')
  )
  const response = await postChat(swarm.url, question)
  t.equal(response.status, 503)
  t.match((await response.json()).error.message, /no node has the model "tiny-chat" now/)
})
