import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { createLogger } from '../src/daemon/logger.ts'
import { Output } from '../src/output/output.ts'
import { type Finished, runHere } from './run-command.ts'
import { chunk, events, json, scriptedApi } from './scripted-api.ts'

/** Clears the screen, sets the title, writes to the clipboard, hides what follows, turns it round, forges a line. */
const EVIL = '\x1b[2J\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x9b8m\u202e\u200b\x7f\r\nready'

/** Anything that a terminal obeys, but line breaks. */
const ACTIVE = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u

const range = { first: 0, end: 4 }
const stage = { peerId: EVIL, range, state: EVIL, bytesDone: 1, bytesTotal: 1, memoryBytes: 1, ms: 1, hopMs: 1 }
const key = {
  id: EVIL,
  name: EVIL,
  namespace: EVIL,
  scopes: [EVIL],
  limits: {},
  created_at: 1,
  expires_at: null,
  revoked_at: null,
  last_used_at: null
}
const node = {
  peerId: EVIL,
  threads: 2,
  memoryOfferedBytes: 1,
  memoryFreeBytes: 1,
  labels: { [EVIL]: EVIL },
  subclouds: [EVIL],
  hardware: { cpuModel: EVIL }
}
const refusal = json({ error: { message: EVIL, type: EVIL, param: null, code: 'node_lost' } }, 503)
const answer = [
  chunk({ content: EVIL.slice(0, 3) }),
  chunk({ content: EVIL.slice(3) }),
  chunk({}, 'stop'),
  { choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } },
  '[DONE]'
]
const honest = {
  '/v1/models': json({ data: [{ id: EVIL, object: 'model' }] }),
  '/v1/mesh/nodes': json({ data: [node] }),
  '/v1/mesh/placements': json({ data: [{ id: 'p', model: EVIL, subcloud: EVIL, state: EVIL, stages: [stage] }] }),
  '/v1/mesh/links': json({ data: [{ peers: [EVIL, EVIL], why: EVIL, forMs: 1 }] }),
  '/v1/mesh/plan': json({ msPerToken: 1, tokensPerSecond: 1, bytesToMove: 1, stages: [stage] }),
  '/v1/admin/keys': json({ data: [key], has_more: false, ...key, key: EVIL }),
  '/v1/admin/keys/x/revoke': json(key),
  '/v1/admin/keys/x/rotate': json({ ...key, key: EVIL }),
  '/v1/chat/completions': events(answer)
}
const commands: readonly (readonly string[])[] = [
  ['models'],
  ['status'],
  ['plan', '--model', 'm'],
  ['chat', '--model', 'm', 'hi'],
  ['keys', 'list'],
  ['keys', 'create', '--admin'],
  ['keys', 'revoke', 'x'],
  ['keys', 'rotate', 'x']
]

function harmless(t: Test, { stdout, stderr }: Finished, id: string): void {
  t.notMatch(stdout, ACTIVE, `${id}: standard output`)
  t.notMatch(stderr, ACTIVE, `${id}: standard error`)
}

t.test('no command passes on to the terminal what a server says', async t => {
  const { url } = await scriptedApi(t, honest)
  const bad = await scriptedApi(t, Object.fromEntries(Object.keys(honest).map(path => [path, refusal])))
  await Promise.all(
    commands.map(async args => {
      const name = args.join(' ')
      const shown = await runHere([...args, '--url', url])
      harmless(t, shown, name)
      t.equal(shown.code, 0, name)
      t.match(shown.stdout, /␊ready|␛/, `${name} shows that it is there`)
      if (!name.startsWith('chat'))
        t.notMatch(shown.stdout, /^ready/m, `${name}: a value does not make a line of its own`)
      const forPrograms = await runHere([...args, '--json', '--url', url])
      harmless(t, forPrograms, `${name} --json`)
      t.ok(
        JSON.stringify(JSON.parse(forPrograms.stdout)).includes(JSON.stringify(EVIL).slice(1, -1)),
        `${name}: unchanged`
      )
      const refused = await runHere([...args, '--url', bad.url])
      harmless(t, refused, `${name} refused`)
      t.match(refused, { code: 1, stderr: /^error: .*␛\[2J/ })
      harmless(t, await runHere([...args, '--json', '--url', bad.url]), `${name} --json refused`)
    })
  )
})

t.test('the very bytes of an answer are there for who asks for them', async t => {
  const { url } = await scriptedApi(t, honest)
  const { stdout } = await runHere(['chat', '--raw', '--model', 'm', '--url', url, 'hi'])
  t.equal(stdout, `${EVIL}\n`)
})

t.test('what a user or a file says is shown in messages and obeyed in none', async t => {
  for (const args of [['plan'], ['models', '--url', EVIL], [EVIL], ['node', `--${EVIL}`], ['pull', `file:/${EVIL}`]]) {
    const finished = await runHere(args, { env: { HOME: t.testdirName } })
    harmless(t, finished, args.join(' ').slice(0, 20))
    t.not(finished.code, 0)
  }
})

t.test('a log line does nothing to the terminal it is read at, live or from its file', async t => {
  for (const isTTY of [true, false]) {
    const stream = Object.assign(new PassThrough(), { isTTY })
    const logger = createLogger('info', new Output(stream as PassThrough & NodeJS.WriteStream))
    logger.warn({ peerId: EVIL, [EVIL]: { inner: EVIL }, err: new Error(EVIL) }, EVIL)
    const line = String(stream.read())
    t.notMatch(line, ACTIVE)
    t.equal(line.trimEnd().split('\n').length, 1)
    if (!isTTY) t.match(JSON.parse(line), { peerId: EVIL, msg: EVIL }, 'and says the same')
  }
})
