import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { ask } from './chat-client.ts'

const bin = fileURLToPath(import.meta.resolve('@resultity/cli/bin/resultity.js'))

/** What docs/operations.md names as the least. */
const FILES = 64

const skip = existsSync('/usr/bin/prlimit') ? false : 'there is no prlimit here'

interface Daemon {
  readonly child: ChildProcess
  readonly ready: { readonly http: string; readonly multiaddrs: readonly string[]; readonly peerId: string }
  /** Resolves when a line of its log has this in it, said before or to come. */
  logged(part: string): Promise<string>
  /** Forgets what was logged. */
  forget(): void
}

/** A daemon that may open few files, by the shell's own limit. */
async function startWith(t: Test, data: string, args: readonly string[]): Promise<Daemon> {
  const child = spawn(
    'bash',
    ['-c', `ulimit -n ${FILES}; exec "$0" "$@"`, process.execPath, bin, ...args, '--data', data, '--json'],
    { env: { HOME: '/nonexistent', PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'] }
  )
  t.teardown(async () => {
    if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'close')
  })
  const lines: string[] = []
  const waiting = new Map<string, (line: string) => void>()
  createInterface({ input: child.stderr }).on('line', line => {
    lines.push(line)
    for (const [part, resolve] of waiting) if (line.includes(part)) resolve(line)
  })
  const ended = once(child, 'close').then(() => {
    throw new Error(`${args[0]} ended:\n${lines.slice(-20).join('\n')}`)
  })
  ended.catch(() => {})
  const logged = (part: string): Promise<string> => {
    const known = lines.find(line => line.includes(part))
    const { promise, resolve } = Promise.withResolvers<string>()
    waiting.set(part, resolve)
    return known === undefined ? Promise.race([promise, ended]) : Promise.resolve(known)
  }
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])
  return { child, ready: JSON.parse(String(line)), logged, forget: () => void lines.splice(0) }
}

/** Opens connections until some are refused, and keeps those that were not. */
async function flood(t: Test, port: number, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect({ port, host: '127.0.0.1' }).on('error', () => {}))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  await Promise.race(sockets.map(closed))
  return sockets
}

/** However it came about: an error on a refused connection is what is expected. */
async function closed(socket: Socket): Promise<void> {
  if (socket.closed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.once('close', () => resolve())
  await promise
}

function portOf(multiaddrs: readonly string[]): number {
  return Number(/\/tcp\/(\d+)/.exec(multiaddrs[0] ?? '')?.[1])
}

/** Lets a running daemon open no file with a higher number: below 3 are those that every process has. */
function limitFiles({ child }: Daemon, files: number): void {
  execFileSync('prlimit', ['--pid', String(child.pid), `--nofile=${files}:${FILES}`])
}

const question = {
  model: 'tiny-chat',
  max_tokens: 4,
  messages: [{ role: 'user', content: 'What is the capital of France?' }]
}

test('below what a daemon needs it does not start, and says what is missing', async t => {
  const data = t.testdir({})
  const [coordinator, node] = await Promise.all(
    ['coordinator', 'node'].map(async role => {
      const args = [
        '-c',
        'ulimit -n 63; exec "$0" "$@"',
        process.execPath,
        bin,
        role,
        '--data',
        join(data, role),
        '--json'
      ]
      const child = spawn('bash', args, { env: { HOME: '/nonexistent', PATH: process.env.PATH } })
      let stderr = ''
      child.stderr.on('data', piece => {
        stderr += piece
      })
      await once(child, 'close')
      return { code: child.exitCode, stderr }
    })
  )
  for (const ended of [coordinator, node]) {
    t.match(ended, { code: 2, stderr: /may open 63 files, and needs 64.*ulimit -n/ })
  }
})

test('out of file descriptors, a coordinator and a node live, say so, and serve again', {
  timeout: 180_000,
  skip
}, async t => {
  const data = t.testdir({})
  const coordinator = await startWith(t, join(data, 'coordinator'), [
    'coordinator',
    '--http',
    '127.0.0.1:0',
    '--model',
    'tiny-chat'
  ])
  const node = await startWith(t, join(data, 'node'), ['node', '--memory', '200MB', '--threads', '1'])
  const { http } = coordinator.ready
  await coordinator.logged(node.ready.peerId)
  t.match(await ask(http, question), { answer: { choices: [{}] } }, 'they found each other by mDNS, and answer')

  const refusal = coordinator.logged('connections were refused')
  const sockets = [
    ...(await flood(t, Number(new URL(http).port), 200)),
    ...(await flood(t, portOf(coordinator.ready.multiaddrs), 200)),
    ...(await flood(t, portOf(node.ready.multiaddrs), 200))
  ]
  t.match(JSON.parse(await refusal), { level: 40, code: 'resource_exhausted', connectionsMax: 8 })

  // the limits above leave some files: now there are none, whoever would take one
  for (const daemon of [coordinator, node]) limitFiles(daemon, 3)
  for (const daemon of [coordinator, node]) {
    const line = JSON.parse(await daemon.logged('out of file descriptors'))
    t.match(line, { level: 50, code: 'resource_exhausted', system: 'EMFILE', hint: /ulimit -n/ })
  }
  for (const daemon of [coordinator, node]) limitFiles(daemon, FILES)
  for (const socket of sockets) socket.destroy()
  await Promise.all(sockets.map(closed))

  t.match(await untilAnswered(http), { answer: { choices: [{}] } }, 'and answer again')
  t.strictSame([coordinator.child.exitCode, node.child.exitCode], [null, null], 'the same processes')
})

/** The server takes no connections for a moment after a shortage. */
async function untilAnswered(http: string) {
  for (;;) {
    const answer = await ask(http, question).catch(() => undefined)
    if (answer !== undefined) return answer
  }
}
