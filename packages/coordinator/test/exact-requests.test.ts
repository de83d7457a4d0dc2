import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

// Requests reach the nodes as they were sent: every digit of a seed, every name of a schema.

const mesh = await startScriptedMesh(1, { limits: { batchPollMs: 20 } })
t.teardown(() => mesh[Symbol.asyncDispose]())
const { httpUrl } = mesh.coordinator
const [endToken = 0] = mesh.tokenizer.endTokenIds

const opens: Ring['open'][] = []
const prompts: string[] = []
const says =
  (text: string) =>
  ({ open, prompt, sample }: Ring) => {
    opens.push(open)
    prompts.push(mesh.tokenizer.decode(prompt))
    return sample([...mesh.tokenizer.encode(text), endToken], 'end_token')
  }
mesh.ring.script = says('Fine.')

async function send(path: string, text: string, headers = {}) {
  const response = await fetch(`${httpUrl}${path}`, { method: 'POST', body: text, headers })
  return { status: response.status, body: await response.json() }
}

/** The body of a question with this seed, whose digits no number of ours has touched. */
const withSeed = (seed: string, fields: object = QUESTION): string =>
  JSON.stringify({ ...fields, ...limitOf(fields), seed: 0 }).replace('"seed":0', `"seed":${seed}`)

/** Responses call it otherwise. */
const limitOf = (fields: object): object => ('input' in fields ? { max_output_tokens: 40 } : { max_tokens: 40 })

const seedOf = (at: number): string => String(BigInt.asIntN(64, opens.at(at)?.sampling.seed ?? 0n))
const seeds = ['9223372036854775807', '-9223372036854775808', '9007199254740993', '-1', '0', '9007199254740991']

t.test('a seed is any integer of 64 bits, and its digits are kept', async t => {
  const bodies: Record<string, object> = {
    [CHAT]: QUESTION,
    '/v1/completions': { model: 'tiny-chat', prompt: 'Once' },
    '/v1/responses': { model: 'tiny-chat', input: 'Hi' }
  }
  for (const [path, body] of Object.entries(bodies)) {
    for (const seed of seeds) {
      const answer = await send(path, withSeed(seed, body))
      t.equal(answer.status, 200, `${path} ${seed} ${JSON.stringify(answer.body.error ?? '')}`)
      t.equal(seedOf(-1), seed, `${path} ${seed}`)
    }
  }
})

t.test('what is no such integer is refused, naming it', async t => {
  for (const seed of [
    '9223372036854775808',
    '-9223372036854775809',
    '1e30',
    '0.5',
    '"x"',
    '"5"',
    'true',
    '99999999999999999999999'
  ]) {
    const { status, body } = await send(CHAT, withSeed(seed))
    t.equal(status, 400, seed)
    t.equal(body.error.param, 'seed', seed)
  }
})

t.test('choices and models that are asked twice have seeds that follow', async t => {
  await send(CHAT, withSeed('9223372036854775806', { ...QUESTION, n: 2 }))
  t.same([seedOf(-2), seedOf(-1)].toSorted(), ['9223372036854775806', '9223372036854775807'])
  await send(
    CHAT,
    withSeed('9223372036854775807', { ...QUESTION, models: ['tiny-chat', 'tiny-chat'], strategy: 'all' })
  )
  t.same([seedOf(-2), seedOf(-1)].toSorted(), ['-9223372036854775808', '9223372036854775807'], 'round the end')
})

t.test('requests that are stored, and lines of batches, have them too', async t => {
  const { body } = await send(`${CHAT}?async=true`, withSeed('9223372036854775801'))
  await (await fetch(`${httpUrl}/v1/requests/${body.id}/events`)).text()
  t.equal(seedOf(-1), '9223372036854775801')
  const call = `{"requests":[{"custom_id":"a","url":"${CHAT}","body":${withSeed('9223372036854775802')}}]}`
  t.match((await send('/v1/batch', call)).body, { responses: [{ response: { status_code: 200 } }] })
  t.equal(seedOf(-1), '9223372036854775802')
  await runBatch([`{"custom_id":"a","method":"POST","url":"${CHAT}","body":${withSeed('9223372036854775803')}}`])
  t.equal(seedOf(-1), '9223372036854775803')
})

const parameters = {
  type: 'object',
  // written as text: an object's own __proto__ is its prototype
  properties: JSON.parse('{"__proto__":{"type":"string"},"constructor":{}}'),
  required: ['__proto__']
}
const tools = [{ type: 'function', function: { name: 'f', parameters } }]
const call = '<tool_call>\n{"name": "f", "arguments": {"__proto__": "x", "constructor": 1}}\n</tool_call>'

t.test('a property may be called __proto__ or constructor, in schemas, in calls and in batches', async t => {
  mesh.ring.script = says(call)
  const question = { ...QUESTION, tools, tool_choice: 'required' }
  const { status, body } = await send(CHAT, JSON.stringify(question))
  t.equal(status, 200, JSON.stringify(body.error))
  const [answered] = body.choices[0].message.tool_calls
  t.equal(answered.function.arguments.replaceAll(' ', ''), '{"__proto__":"x","constructor":1}')
  t.match(prompts.at(-1), /"__proto__":\s*\{"type":\s*"string"\}/, 'the model is told of it')
  const constraint = opens.at(-1)?.constraint
  t.match(JSON.stringify(constraint), /__proto__/, 'and the nodes are')
  const again = { role: 'assistant', content: null, tool_calls: [answered] }
  const result = { role: 'tool', tool_call_id: answered.id, content: 'done' }
  mesh.ring.script = says('Fine.')
  t.equal(
    (await send(CHAT, JSON.stringify({ ...QUESTION, tools, messages: [...QUESTION.messages, again, result] }))).status,
    200
  )
  t.match(prompts.at(-1), /"__proto__":\s*"x"/)
  mesh.ring.script = says(call)
  const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: CHAT, body: question })
  const [written] = await runBatch([line])
  t.match(JSON.parse(written ?? '').response, { status_code: 200 })
  t.notOk('type' in {}, 'nobody else has any of it')
})

t.test('elsewhere it is a field that nobody knows', async t => {
  mesh.ring.script = says('Fine.')
  const poisoned = JSON.stringify({ ...QUESTION, max_tokens: 40 }).replace(
    '{',
    '{"__proto__":{"stream":true,"n":5},"constructor":{"prototype":{"n":5}},'
  )
  const { status, body } = await send(CHAT, poisoned)
  t.equal(status, 200)
  t.equal(body.choices.length, 1)
})

/** The lines of its output, once the batch has ended. */
async function runBatch(lines: readonly string[]): Promise<string[]> {
  const form = new FormData()
  form.set('purpose', 'batch')
  form.set('file', new File([lines.join('\n')], 'in.jsonl'))
  const file = await (await fetch(`${httpUrl}/v1/files`, { method: 'POST', body: form })).json()
  const made = { input_file_id: file.id, endpoint: CHAT, completion_window: '24h' }
  const { body: batch } = await send('/v1/batches', JSON.stringify(made))
  for (;;) {
    const { status, output_file_id: id } = await (await fetch(`${httpUrl}/v1/batches/${batch.id}`)).json()
    if (status === 'completed')
      return (await (await fetch(`${httpUrl}/v1/files/${id}/content`)).text()).trimEnd().split('\n')
  }
}
