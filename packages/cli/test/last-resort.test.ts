import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { survivableCode } from '../src/daemon/survivable.ts'

const system = (code: string) => Object.assign(new Error(code), { code })

t.test('an error is survived when it is one socket’s or a shortage, whatever it is wrapped in', async t => {
  for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL', 'EPIPE', 'ECONNRESET']) {
    t.equal(survivableCode(system(code)), code)
    t.equal(survivableCode(new Error('outer', { cause: system(code) })), code)
    t.equal(survivableCode(new AggregateError([system(code), system(code)])), code)
  }
  const bare = Object.assign(new Error('uv_interface_addresses'), { code: 'ERR_SYSTEM_ERROR', errno: 24 })
  t.equal(survivableCode(bare), 'EMFILE', 'as os.networkInterfaces() says it')
  const endless = new Error('endless')
  endless.cause = endless
  const others = [
    ...[new TypeError('a bug'), system('ENOSPC'), system('ERR_ASSERTION'), undefined, null, 'EMFILE', 24, endless],
    ...[new AggregateError([]), new AggregateError([system('EMFILE'), new TypeError('a bug')]), { errno: 24 }]
  ]
  for (const other of others) t.equal(survivableCode(other), undefined, String(other))
})

/** A process with the handlers of a daemon that does this. */
async function run(does: string) {
  const module = (path: string) => JSON.stringify(fileURLToPath(new URL(path, import.meta.url)))
  const program = `
    import { networkInterfaces } from 'node:os'
    import { openSync } from 'node:fs'
    const { LastResort } = await import(${module('../src/daemon/last-resort.js')})
    const { createLogger } = await import(${module('../src/daemon/logger.js')})
    const { Output } = await import(${module('../src/output/output.js')})
    const say = line => process.stdout.write(line + '\\n')
    const logger = createLogger('info', new Output(process.stderr))
    new LastResort(logger, { shed: () => say('shed'), release: async () => say('released') })
    ${does}
    // once all of that is thrown
    setImmediate(() => setImmediate(() => setTimeout(() => { say('lives'); process.exit(0) }, 300)))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program])
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return {
    code: child.exitCode,
    stdout,
    log: stderr
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line))
  }
}

t.test('a daemon lives through a shortage of files, wherever it is thrown', async t => {
  const thrown = await run(`
    setImmediate(() => { const files = []; for (;;) files.push(openSync('/dev/null')) })
    setImmediate(() => { Promise.reject(Object.assign(new Error('x'), { code: 'EMFILE' })) })`)
  t.match(thrown, { code: 0, stdout: /shed\nshed\nlives/ })
  t.match(thrown.log, [{ level: 50, code: 'resource_exhausted', system: 'EMFILE', times: 1, hint: /ulimit -n/ }])
  t.equal(thrown.log.length, 1, 'and does not flood its log')
  const reset = await run(`setImmediate(() => { throw Object.assign(new Error('x'), { code: 'ECONNRESET' }) })`)
  t.match(reset, { code: 0, stdout: 'lives\n', log: [{ level: 40, code: 'unavailable', system: 'ECONNRESET' }] })
})

t.test('after any other error it says what happened, releases what it can, and ends', async t => {
  for (const does of [
    "setImmediate(() => { throw new TypeError('a bug of ours') })",
    "Promise.reject(new TypeError('a bug of ours'))"
  ]) {
    const ended = await run(does)
    t.match(ended, { code: 1, stdout: 'released\n' })
    t.match(ended.log, [{ level: 60, code: 'internal', err: { message: 'a bug of ours', stack: String } }])
  }
})
