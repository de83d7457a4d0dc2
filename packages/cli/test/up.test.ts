import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { z } from 'zod'
import { bin, runCommand } from './run-command.ts'

const readySchema = z.strictObject({
  ready: z.literal(true),
  http: z.string().regex(/^http:\/\/127\.0\.0\.1:\d+$/),
  coordinator: z.strictObject({ peerId: z.string(), pid: z.int() }),
  nodes: z.array(z.strictObject({ peerId: z.string(), pid: z.int(), layers: z.tuple([z.int(), z.int()]) }))
})

const QUESTION = 'What is the capital of France?'
const ANSWER = 'The capital of France is Paris.'
/** Keeps a broken build from hanging; on a busy machine processes take their time. */
const WITHIN_MS = 300_000

/** A mesh of the small model on a free port. */
async function up(t: Test, args: readonly string[] = []) {
  const data = t.testdir({})
  const child = spawn(
    process.execPath,
    [bin, 'up', '--model=tiny-chat', '--http=127.0.0.1:0', `--data=${data}`, '--json', '--node-silence=60', ...args],
    {
      stdio: ['ignore', 'pipe', 'inherit']
    }
  )
  t.teardown(() => stop(child))
  if (child.stdout === null) throw new Error('no pipe')
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  const ready = readySchema.parse(JSON.parse(String(line)))
  return { child, data, ready, pids: [ready.coordinator.pid, ...ready.nodes.map(node => node.pid)] }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** A process that has ended and only waits for its parent to notice counts as gone. */
function alive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && existsSync(`/proc/${pid}/exe`)
}

async function untilGone(pids: readonly number[]): Promise<void> {
  const signal = AbortSignal.timeout(WITHIN_MS)
  while (pids.some(alive)) await setTimeout(20, undefined, { signal })
}

t.test('up runs four processes that answer together, and Ctrl-C ends them all with 0', async t => {
  const { child, data, ready, pids } = await up(t)
  t.ok(pids.every(alive))
  t.equal(new Set([child.pid, ...pids]).size, 5, 'each is a process of its own')
  t.equal(new Set(ready.nodes.map(node => node.peerId)).size, 3)
  const ranges = ready.nodes.map(node => node.layers).toSorted(([a], [b]) => a - b)
  t.strictSame([ranges[0]?.[0], ranges.at(-1)?.[1]], [0, 4])
  t.ok(
    ranges.every(([first], index) => index === 0 || ranges[index - 1]?.[1] === first),
    'no gap, no overlap'
  )

  const asked = await runCommand(['chat', `--url=${ready.http}`, '--json', QUESTION])
  const answer = JSON.parse(asked.stdout)
  t.equal(answer.text, ANSWER)
  for (const { peerId, layers } of ready.nodes) t.match(answer.route, `${peerId}[${layers[0]},${layers[1]})`)

  const again = await runCommand(['up', `--data=${data}`])
  t.equal(again.code, 1)
  t.match(again.stderr, new RegExp(`in use by another daemon \\(process ${child.pid}\\)`))
  const node = await runCommand(['node', `--data=${join(data, 'node-1')}`, '--json'])
  t.equal(node.code, 1)
  t.match(JSON.parse(node.stderr), { error: { code: 'data_directory_locked', hint: /--data DIR/ } })

  child.kill('SIGINT')
  t.strictSame(await once(child, 'exit'), [0, null])
  t.notOk(pids.some(alive), 'nothing is left running')
})

t.test('a node that is killed is reported, and the others stay up; up that is killed takes them along', async t => {
  const { child, ready, pids } = await up(t, ['--nodes=2'])
  const [, victim = 0] = pids
  process.kill(victim, 'SIGKILL')
  await untilGone([victim])
  const signal = AbortSignal.timeout(WITHIN_MS)
  let text = ''
  while (text !== ANSWER) {
    const asked = await runCommand(['chat', `--url=${ready.http}`, '--json', QUESTION])
    text = asked.code === 0 ? JSON.parse(asked.stdout).text : ''
    signal.throwIfAborted()
  }
  t.equal(pids.filter(alive).length, 2)

  child.kill('SIGKILL')
  await untilGone(pids)
  t.notOk(pids.some(alive))
})

t.test('up --once prints the answer alone on standard output, and stops', async t => {
  const args = [
    'up',
    '--model=tiny-chat',
    '--nodes=2',
    '--http=127.0.0.1:0',
    `--data=${t.testdir({})}`,
    '--once',
    QUESTION
  ]
  const { code, stdout, stderr } = await runCommand(args)
  t.equal(code, 0)
  t.equal(stdout, `${ANSWER}\n`)
  t.match(stderr, /tokens\/s/)
})

/** tiny-chat with a chat template that cannot be read. */
async function brokenModel(t: Test): Promise<string> {
  const folder = join(t.testdir({}), 'broken')
  await cp(fileURLToPath(new URL('../../../model/models/tiny-chat', import.meta.url)), folder, { recursive: true })
  await writeFile(join(folder, 'chat_template.jinja'), '{{ broken')
  return folder
}

t.test('up serves what can be, and says what cannot', async t => {
  const broken = await brokenModel(t)
  const args = ['--nodes=1', '--http=127.0.0.1:0', `--data=${join(broken, '..', 'data')}`]
  const mixed = ['up', `--model=file:${broken}`, '--model=tiny-chat', ...args]
  const { code, stdout, stderr } = await runCommand([...mixed, '--once', QUESTION])
  t.equal(code, 0)
  t.equal(stdout, `${ANSWER}\n`)
  t.match(stderr, new RegExp(`file:${broken} cannot be served: ${broken}: the chat template cannot be parsed`))

  const alone = await runCommand(['up', `--model=file:${broken}`, ...args, '--json'])
  t.equal(alone.code, 1)
  t.match(alone.stderr, new RegExp(`${broken}: the chat template cannot be parsed`))
  const pulled = await runCommand(['pull', `file:${broken}`, `--data=${join(broken, '..', 'pulled')}`, '--json'])
  t.equal(pulled.code, 1, 'and a pull says so before')
  t.match(JSON.parse(pulled.stderr), { error: { code: 'model_invalid', message: new RegExp(`^${broken}: the chat`) } })
})

t.test('a busy port is named before anything else is done, and nothing is left', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const args = ['up', '--model=tiny-chat', `--http=127.0.0.1:${port}`, `--data=${t.testdir({})}`, '--json']
  const { code, stdout, stderr } = await runCommand(args)
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /"code":"address_in_use"/)
})

const unknown: readonly (readonly [string, string])[] = [
  ['no-such-model', 'model_not_found'],
  ['ftp:somewhere', 'invalid_request'],
  ['file:/nowhere/model.gguf', 'model_']
]
for (const [reference, code] of unknown) {
  t.test(`a model that cannot be had is an error with what to do: ${reference}`, async t => {
    const finished = await runCommand(['pull', reference, `--data=${t.testdir({})}`, '--json'])
    t.equal(finished.code, 1)
    const { error } = JSON.parse(finished.stderr)
    t.match(error.code, code)
    t.match(error.hint, /./)
  })
}

t.test('pull makes a model ready and says what it is', async t => {
  const { stdout } = await runCommand(['pull', 'tiny-chat', `--data=${t.testdir({})}`, '--json'])
  t.match(JSON.parse(stdout), { name: 'tiny-chat', layers: 4, manifest: /^[0-9a-f]{64}$/ })
})
