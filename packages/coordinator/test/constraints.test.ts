import { Constraints } from '@resultity/generation'
import { MeshError, TaskOverrun, TaskThread } from '@resultity/interface'
import t, { type Test } from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const limits = { constraintCheckMs: 2000, answerCheckMs: 60_000, constraintChecksMax: 8 }

/** A thread whose tasks are functions' texts, so that they really do what they say. */
function thread(t: Test, init: { tasksMax?: number; heapMib?: number } = {}): TaskThread {
  const source = `import { serveTasks } from ${JSON.stringify(import.meta.resolve('@resultity/interface'))}
    serveTasks((text, progress) => ({ result: new Function('progress', text)(progress) }))`
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`)
  const tasks = new TaskThread({ url, tasksMax: 8, idleMs: 60_000, tasks: 'tests', ...init })
  t.teardown(() => tasks[Symbol.asyncDispose]())
  return tasks
}

const HANG = 'progress("here"); for (;;);'

t.test('a task that never ends is ended, and those behind it go on', async t => {
  const tasks = thread(t)
  let turns = 0
  const ticking = setInterval(() => turns++, 1)
  t.teardown(() => clearInterval(ticking))
  const hanging = tasks.run(HANG, { deadlineMs: 300 })
  const behind = tasks.run('return 1 + 1', { deadlineMs: 60_000 })
  await t.rejects(hanging, new TaskOverrun('time', 'here'))
  t.equal(await behind, 2)
  t.ok(turns > 5, 'the event loop turned meanwhile')
})

t.test('a task that eats memory ends its thread and not the process', async t => {
  const tasks = thread(t, { heapMib: 32 })
  const eating = tasks.run('const all = []; for (;;) all.push({ all: [...all.slice(-100)] })', { deadlineMs: 60_000 })
  await t.rejects(eating, new TaskOverrun('memory', undefined))
  t.equal(await tasks.run('return 2', { deadlineMs: 60_000 }), 2)
})

t.test('tasks fail, are refused and are let go as their callers are told', async t => {
  const tasks = thread(t, { tasksMax: 2 })
  await t.rejects(tasks.run('throw new Error("no")', { deadlineMs: 60_000 }), { code: 'internal', message: 'no' })
  const controller = new AbortController()
  const { signal } = controller
  const running = tasks.run(HANG, { deadlineMs: 60_000, signal })
  const waiting = tasks.run('return 3', { deadlineMs: 60_000, signal })
  await t.rejects(tasks.run('return 4', { deadlineMs: 1 }), { code: 'resource_exhausted', message: /2 tests wait/ })
  controller.abort(new MeshError('canceled', 'gone'))
  await t.rejects(running, { code: 'canceled' })
  await t.rejects(waiting, { code: 'canceled' })
  t.equal(await tasks.run('return 5', { deadlineMs: 60_000 }), 5)
  const last = tasks.run(HANG, { deadlineMs: 60_000 })
  await tasks[Symbol.asyncDispose]()
  await t.rejects(last, { code: 'unavailable' })
  await t.rejects(tasks.run('return 6', { deadlineMs: 60_000 }), { code: 'unavailable' })
})

/** Two alternatives that only 4^12 comparisons tell apart, were each made: 2 KB. */
function tangled(depth: number): Record<string, unknown> {
  const names = ['a', 'b', 'c', 'd']
  const $defs: Record<string, unknown> = { s0: { type: 'object' } }
  for (let level = 1; level <= depth; level++) {
    const properties = Object.fromEntries(names.map(name => [name, { $ref: `#/$defs/s${level - 1}` }]))
    $defs[`s${level}`] = { type: 'object', required: names, properties }
  }
  const { type, required, properties } = $defs[`s${depth}`] as Record<string, unknown>
  const one = { type, required, properties }
  return { $defs, oneOf: [one, { ...one, description: 'the other' }] }
}

t.test('a constraint is checked once, and what is wrong with it is said each time', async t => {
  await using constraints = new Constraints(limits)
  const places = { schema: 'here', parameters: [] }
  const good = { type: 'json_schema' as const, schema: '{"type":"object"}' }
  await constraints.check(good, places)
  const bad = { type: 'json_schema' as const, schema: '{"not":7}' }
  const refused = { code: 'invalid_request', message: /here\/not/, details: { param: 'here/not' } }
  await Promise.all([1, 2, 3].map(() => t.rejects(constraints.check(bad, places), refused)))
  await t.rejects(constraints.check(bad, { ...places, schema: 'there' }), {
    code: 'invalid_request',
    details: { param: 'there/not' }
  })
  const functions = [
    { name: 'a', parameters: '{"type":"object"}' },
    { name: 'b', parameters: JSON.stringify(tangled(12)) }
  ]
  const strict = { schema: false, functions: [1] }
  const named = { schema: 'tools', parameters: ['tools[3]', 'tools[7]'], strict }
  const calls = { type: 'tool_calls' as const, functions, parallel: true }
  await t.rejects(constraints.check(calls, named), { code: 'invalid_request', details: { param: /^tools\[7\]/ } })
  await constraints.check(good, places)
})

t.test('many constraints of a request take together what one may', async t => {
  await using constraints = new Constraints({ ...limits, constraintCheckMs: 60_000 })
  const wide = (first: string) => Array.from({ length: 8000 }, (_, index) => `${first}${index}`).join('|')
  const checkOf = (first: string) => ({
    constraint: { type: 'regex' as const, pattern: wide(first) },
    places: { schema: `tools[${first}]`, parameters: [] }
  })
  t.same(await constraints.checkAll([]), [])
  t.same(await constraints.checkAll([checkOf('a'), checkOf('b')]), [[], []])
  const tooMany = ['a', 'b', 'c', 'd'].map(checkOf)
  await t.rejects(constraints.checkAll(tooMany), { code: 'invalid_request', message: /^tools\[c\].*steps of work/ })
})

t.test('answers are compared with their constraint', async t => {
  await using constraints = new Constraints(limits)
  const constraint = { type: 'json_schema' as const, schema: '{"type":"object","properties":{"a":{"type":"integer"}}}' }
  t.equal(await constraints.allows(constraint, '{"a":1}', 'whole'), true)
  t.equal(await constraints.allows(constraint, '{"a":', 'whole'), false)
  t.equal(await constraints.allows(constraint, '{"a":', 'beginning'), true)
  t.equal(await constraints.allows(constraint, '{"a":"x', 'beginning'), false)
})

t.test('2 KB of alternatives that are the same all the way down are refused by name, on every way in', async t => {
  await using mesh = await startScriptedMesh(1, { limits: { constraintCheckMs: 500 } })
  const schema = tangled(12)
  const format = { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } }
  const tool = { type: 'function', function: { name: 'x', parameters: schema, strict: true } }
  const ways: [path: string, body: object, param: RegExp][] = [
    [CHAT, { ...QUESTION, response_format: format }, /^response_format\.json_schema\.schema/],
    [CHAT, { ...QUESTION, tools: [tool], tool_choice: 'required' }, /^tools\[0\]\.function\.parameters/],
    [CHAT, { ...QUESTION, tools: [tool], response_format: format }, /^response_format\.json_schema\.schema/],
    [CHAT, { ...QUESTION, models: ['tiny-chat', 'tiny-chat'], response_format: format }, /^response_format/],
    [
      '/v1/responses',
      { model: 'tiny-chat', input: 'x', text: { format: { type: 'json_schema', name: 'x', schema, strict: true } } },
      /./
    ]
  ]
  for (const [path, body, param] of ways) {
    const response = await fetch(`${mesh.coordinator.httpUrl}${path}`, { method: 'POST', body: JSON.stringify(body) })
    t.match([response.status, await response.json()], [400, { error: { param } }], path)
  }
  const line = { custom_id: 'one', url: CHAT, body: { ...QUESTION, response_format: format } }
  const requests = [line, { ...line, custom_id: 'two', body: QUESTION }]
  const batch = await fetch(`${mesh.coordinator.httpUrl}/v1/batch`, {
    method: 'POST',
    body: JSON.stringify({ requests })
  })
  const { responses } = await batch.json()
  t.match(responses, [{ response: { status_code: 400 } }, { response: { status_code: 200 } }], 'others go on')
})
