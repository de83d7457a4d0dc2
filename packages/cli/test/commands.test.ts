import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { runCommand } from './run-command.ts'
import { chunk, events, json, scriptedApi } from './scripted-api.ts'

const models = json({ object: 'list', data: [{ id: 'tiny-chat', object: 'model' }] })
const answer = [
  chunk({ role: 'assistant', content: '' }),
  chunk({ content: 'The capital' }),
  chunk({ content: ' is Paris.' }),
  chunk({}, 'stop'),
  { object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 9, completion_tokens: 5 } },
  '[DONE]'
]

t.test('every command explains itself, with examples', async t => {
  const { stdout } = await runCommand(['--help'])
  const names = ['up', 'coordinator', 'node', 'chat', 'models', 'pull', 'plan', 'status', 'keys', 'version']
  for (const name of names) t.match(stdout, new RegExp(`^  ${name} `, 'm'), `the list has ${name}`)
  const whole = [...names.map(name => [name]), ...['create', 'list', 'revoke', 'rotate'].map(name => ['keys', name])]
  const helps = await Promise.all(whole.map(name => runCommand([...name, '--help'])))
  for (const [index, help] of helps.entries()) {
    t.equal(help.code, 0)
    t.match(help.stdout, /Examples:\n {2}\$ resultity /, `${whole[index]?.join(' ')} has examples`)
  }
})

const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no such command', ['nod'], /unknown command 'nod'\n\(Did you mean node\?\)/],
  ['no such flag', ['node', '--thread', '1'], /unknown option '--thread'\n\(Did you mean --threads\?\)/],
  ['a flag of another command', ['chat', '--listen', '/ip4/0.0.0.0/tcp/0'], /unknown option '--listen'/],
  ['an argument is missing', ['pull'], /missing required argument 'ref'/],
  ['a wrong value', ['up', '--nodes', 'three'], /--nodes: expected a whole number/],
  ['a wrong address', ['coordinator', '--http', '8420'], /--http: expected HOST:PORT/],
  [
    'no tokens',
    ['chat', '--max-tokens', '0', '--model', 'x', 'hi'],
    /--max-tokens: expected a whole number of 1 or more/
  ]
]
t.test('what is on or off is said by its flag, and its opposite', async t => {
  for (const name of ['open', 'open-join', 'local-join', 'truncate-inputs', 'webhook-private', 'mdns']) {
    for (const flag of [`--${name}`, `--no-${name}`]) {
      const { stderr } = await runCommand(['coordinator', flag, '--http', '8420'])
      t.match(stderr, /--http: expected HOST:PORT/, `${flag} is taken`)
    }
  }
})

for (const [id, args, message] of mistakes) {
  t.test(`a mistake is named and nothing is started: ${id}`, async t => {
    const { code, stdout, stderr } = await runCommand(args)
    t.equal(code, 2)
    t.equal(stdout, '')
    t.match(stderr, message)
  })
}

t.test('an error is one JSON object for programs', async t => {
  const { code, stderr } = await runCommand(['models', '--json', '--url', 'http://127.0.0.1:1'])
  t.equal(code, 1)
  t.match(JSON.parse(stderr), { error: { code: 'unavailable', message: /no answer from/, hint: /resultity up/ } })
})

t.test('version says what runs', async t => {
  const { stdout } = await runCommand(['version', '--json'])
  t.match(JSON.parse(stdout), { version: /^\d+\.\d+\.\d+$/, node: process.versions.node })
})

t.test('models lists what is served', async t => {
  const { url } = await scriptedApi(t, { '/v1/models': models })
  t.equal((await runCommand(['models', '--url', `${url}/`])).stdout, 'tiny-chat\n')
  t.match(JSON.parse((await runCommand(['models', '--json'], { env: { RESULTITY_URL: url } })).stdout), [
    { id: 'tiny-chat' }
  ])
})

const range = { first: 0, end: 4 }
const node = {
  peerId: '12D3KooWLongPeerName',
  threads: 2,
  memoryOfferedBytes: 2 ** 31,
  memoryFreeBytes: 2 ** 30,
  labels: { zone: 'attic' },
  subclouds: ['home'],
  hardware: { cpuModel: 'A processor' },
  kernels: '0123456789'.repeat(6)
}
const placement = {
  id: 'p1',
  model: 'tiny-chat',
  subcloud: 'home',
  state: 'ready',
  stages: [{ peerId: node.peerId, range, state: 'ready', bytesDone: 1, bytesTotal: 1, selfTestSha256: 'abcdefabcdef' }]
}
const link = { peers: [node.peerId, '12D3KooWOtherPeerName'], why: 'connect ECONNREFUSED', count: 1, forMs: 14_100 }

t.test('status shows who is here and who serves what', async t => {
  const { url } = await scriptedApi(t, {
    '/v1/mesh/nodes': json({ object: 'list', data: [node] }),
    '/v1/mesh/placements': json({ object: 'list', data: [placement] }),
    '/v1/mesh/links': json({ object: 'list', data: [link] })
  })
  const { stdout } = await runCommand(['status', '--url', url])
  t.match(stdout, /…PeerName +A processor +01234567 +2 +1\.0 GiB of 2\.0 GiB +zone=attic +home/)
  t.match(stdout, /tiny-chat +home +ready +\[0,4\) +…PeerName +ready +abcdefab/)
  const report = JSON.parse((await runCommand(['status', '--url', url, '--json'])).stdout)
  t.match(stdout, /…PeerName – …PeerName +15 s +connect ECONNREFUSED/)
  t.match(report, { nodes: [node], placements: [placement], links: [link] })
})

t.test('status says which stage does not reach the next one, and why', async t => {
  const why = 'reaching the next stage took too long'
  const stage = { peerId: node.peerId, range, state: 'linking', unreachedPeer: '12D3KooWOtherNextPeer', error: why }
  const { url } = await scriptedApi(t, {
    '/v1/mesh/nodes': json({ object: 'list', data: [node] }),
    '/v1/mesh/placements': json({ object: 'list', data: [{ ...placement, state: 'loading', stages: [stage] }] }),
    '/v1/mesh/links': json({ object: 'list', data: [] })
  })
  const { stdout } = await runCommand(['status', '--url', url])
  t.match(stdout, /linking: does not reach …NextPeer: reaching the next stage took too long/)
})

t.test('plan shows the cut and its price', async t => {
  const stages = [{ peerId: node.peerId, range, memoryBytes: 1024, ms: 2, hopMs: 0.5 }]
  const plan = { model: 'm', msPerToken: 2.5, tokensPerSecond: 400, bytesToMove: 2048, stages }
  const { url, asked } = await scriptedApi(t, { '/v1/mesh/plan': json(plan) })
  const { stdout } = await runCommand(['plan', '--model', 'm', '--stages', '1', '--url', url])
  t.equal(asked[0]?.path, '/v1/mesh/plan?model=m&stages=1')
  t.match(stdout, /\[0,4\) +…PeerName +1\.0 KiB +2\.00 ms +0\.50 ms/)
  t.match(stdout, /2\.50 ms a token, 400\.0 tokens\/s/)
})

t.test('chat streams the answer to one prompt', async t => {
  const { url, asked } = await scriptedApi(t, { '/v1/models': models, '/v1/chat/completions': events(answer) })
  const { code, stdout } = await runCommand(['chat', '--url', url, '--max-tokens', '7', 'Capital?'])
  t.equal(code, 0)
  t.equal(stdout, 'The capital is Paris.\n')
  t.match(JSON.parse(asked.at(-1)?.body ?? ''), {
    model: 'tiny-chat',
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 7,
    messages: [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: 'Capital?' }
    ]
  })
})

t.test('chat reads the prompt from a pipe, and reports for programs', async t => {
  const { url, asked } = await scriptedApi(t, { '/v1/chat/completions': events(answer) })
  const { stdout } = await runCommand(['chat', '--url', url, '--model', 'm', '--json'], { input: 'Piped?\n' })
  t.match(JSON.parse(stdout), {
    model: 'm',
    text: 'The capital is Paris.',
    finishReason: 'stop',
    promptTokens: 9,
    completionTokens: 5,
    route: 'PeerA[0,2) PeerB[2,4)'
  })
  t.match(JSON.parse(asked[0]?.body ?? ''), { messages: [{}, { content: 'Piped?' }] })
})

t.test('chat says nothing before the prompt when told so', async t => {
  const { url, asked } = await scriptedApi(t, { '/v1/chat/completions': events(answer) })
  await runCommand(['chat', '--url', url, '--model', 'm', '--system', '', 'Capital?'])
  t.strictSame(JSON.parse(asked[0]?.body ?? '').messages, [{ role: 'user', content: 'Capital?' }])
})

t.test('chat refuses an empty prompt', async t => {
  const { code, stderr } = await runCommand(['chat', '--model', 'm'])
  t.equal(code, 1)
  t.match(stderr, /the prompt is empty/)
})

const lost = {
  error: { message: 'node PeerB with [2,4) was lost', type: 'server_error', param: null, code: 'node_lost' }
}
const failures = [
  {
    id: 'in the midst of an answer',
    route: events([...answer.slice(0, 2), lost]),
    stdout: 'The capital',
    message: /PeerB with \[2,4\)/
  },
  {
    id: 'before the answer',
    route: json(
      { error: { message: 'layers [2,4) are missing', type: 'x', param: null, code: 'layers_missing' } },
      503
    ),
    stdout: '',
    message: /layers \[2,4\)/
  },
  {
    id: 'an answer of something else',
    route: json('<html>', 500),
    stdout: '',
    message: /status 500 that is not from a coordinator/
  },
  {
    id: 'a stream that breaks off',
    route: events(answer.slice(0, 2)),
    stdout: 'The capital',
    message: /ended before it was complete/
  }
]
for (const { id, route, stdout, message } of failures) {
  t.test(`chat says why it has no answer: ${id}`, async t => {
    const { url } = await scriptedApi(t, { '/v1/chat/completions': route })
    const finished = await runCommand(['chat', '--url', url, '--model', 'm', 'hi'])
    t.equal(finished.code, 1)
    t.equal(finished.stdout, stdout)
    t.match(finished.stderr, message)
  })
}

t.test('a web page at the address is no coordinator', async t => {
  const { url } = await scriptedApi(t, { '/v1/models': response => void response.end('<!doctype html>') })
  const { code, stderr } = await runCommand(['models', '--url', url])
  t.equal(code, 1)
  t.match(stderr, /form that this version does not know\n.*--url/)
})

t.test('a wrong entry in the configuration file is found by every command', async t => {
  const home = t.testdir({})
  await mkdir(join(home, '.local/share/resultity'), { recursive: true })
  await writeFile(join(home, '.local/share/resultity/config.json'), '{"sesions": 2}')
  const { code, stderr } = await runCommand(['models'], { env: { HOME: home } })
  t.equal(code, 2)
  t.match(stderr, /config\.json: there is no setting "sesions"\n.*Did you mean "sessions"/)
})
