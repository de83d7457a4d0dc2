import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { bin } from './run-command.ts'
import { chunk, json, scriptedApi } from './scripted-api.ts'

/** Takes every write and has no room for any. */
const FULL = '/dev/full'
const skip = existsSync(FULL) ? false : `there is no ${FULL} here`

t.test('a command whose reader has gone stops, and says nothing', async t => {
  const gone = Promise.withResolvers<void>()
  const { url } = await scriptedApi(t, {
    '/v1/chat/completions': response => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.on('close', () => gone.resolve())
      const say = (): void => {
        if (response.destroyed) return
        response.write(`data: ${JSON.stringify(chunk({ content: 'more and more '.repeat(100) }))}\n\n`, () =>
          setImmediate(say)
        )
      }
      say()
    }
  })
  const child = spawn(process.execPath, [bin, 'chat', '--model', 'm', '--url', url, 'hi'], {
    env: { HOME: '/nonexistent' }
  })
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')])
  t.equal(child.exitCode, 141, 'as a shell says of a broken pipe')
  t.equal(stderr, '')
  await gone.promise
  t.pass('and its answer was given up')
})

t.test('a command that cannot write its answer says so and fails', { skip }, async t => {
  const models = Array.from({ length: 1000 }, (_, index) => ({ id: `model-${index}` }))
  const { url } = await scriptedApi(t, { '/v1/models': json({ data: models }) })
  const full = openSync(FULL, 'w')
  const child = spawn(process.execPath, [bin, 'models', '--url', url], {
    env: { HOME: '/nonexistent' },
    stdio: ['ignore', full, 'pipe']
  })
  if (child.stderr === null) throw new Error('no standard error')
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')])
  t.equal(child.exitCode, 1)
  t.match(stderr, /^error: standard output cannot be written to: ENOSPC\n/)
})

t.test('a daemon runs on when its log, its ready line or both have no room', { skip }, async t => {
  const full = openSync(FULL, 'w')
  const args = [
    'coordinator',
    '--http',
    '127.0.0.1:0',
    '--listen',
    '/ip4/127.0.0.1/tcp/0',
    '--no-mdns',
    '--model',
    'tiny-chat'
  ]
  const data = t.testdir({})
  const child = spawn(process.execPath, [bin, ...args, '--data', data, '--log-level', 'trace', '--json'], {
    env: { HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', full]
  })
  if (child.stdout === null) throw new Error('no standard output')
  const [line] = await once(child.stdout, 'data')
  const { http } = JSON.parse(String(line))
  child.stdout.destroy()
  t.match(await (await fetch(`${http}/v1/models`)).json(), { data: [{ id: 'tiny-chat' }] })
  child.kill('SIGTERM')
  await once(child, 'close')
  t.equal(child.exitCode, 0)
})
