import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

// Fields that other servers document: what would change an answer is not passed over in silence.

const mesh = await startScriptedMesh(1)
t.teardown(() => mesh[Symbol.asyncDispose]())
const [endToken = 0] = mesh.tokenizer.endTokenIds
mesh.ring.script = ring => ring.sample([...mesh.tokenizer.encode('Fine.'), endToken], 'end_token')

const bodies = {
  [CHAT]: QUESTION,
  '/v1/completions': { model: 'tiny-chat', prompt: 'x', max_tokens: 40 },
  '/v1/responses': { model: 'tiny-chat', input: 'x' },
  '/v1/embeddings': { model: 'tiny-chat', input: 'x' }
}
type Path = keyof typeof bodies

async function ask(path: Path, fields: object, query = '') {
  const response = await fetch(`${mesh.coordinator.httpUrl}${path}${query}`, {
    method: 'POST',
    body: JSON.stringify({ ...bodies[path], ...fields })
  })
  return { status: response.status, text: await response.text() }
}

t.test('a field that would change the answer is 400 with its name, however the answer is asked for', async t => {
  const cases: readonly (readonly [Path, string, unknown])[] = [
    [CHAT, 'verbosity', 'high'],
    [CHAT, 'mirostat', 2],
    [CHAT, 'prediction', { type: 'content', content: 'x' }],
    ['/v1/completions', 'suffix', 'y'],
    ['/v1/completions', 'dry_multiplier', 0.8],
    ['/v1/responses', 'response_format', { type: 'json_object' }],
    ['/v1/responses', 'truncation', 'auto'],
    ['/v1/responses', 'models', ['tiny-chat']],
    ['/v1/embeddings', 'input_type', 'query'],
    ['/v1/embeddings', 'strategy', 'all']
  ]
  for (const [path, name, value] of cases) {
    for (const [query, more] of [
      ['', {}],
      ['', { stream: true }],
      ['?async=true', {}]
    ] as const) {
      const { status, text } = await ask(path, { [name]: value, ...more }, query)
      t.equal(status, 400, `${path} ${name}`)
      t.match(JSON.parse(text).error, { code: 'invalid_request', param: name, message: /changes the answer/ })
    }
  }
})

t.test('so it is when several models are asked, and within another field', async t => {
  const several = await ask(CHAT, { model: 'tiny-chat+tiny-chat', typical_p: 0.5 })
  t.match([several.status, JSON.parse(several.text).error.param], [400, 'typical_p'])
  const within = await ask('/v1/responses', { text: { verbosity: 'low' } })
  t.match([within.status, JSON.parse(within.text).error.param], [400, 'text.verbosity'])
})

t.test('values that change nothing, fields without effect and unknown ones are taken', async t => {
  const taken = { user: 'a', metadata: { a: 'b' }, service_tier: 'flex', cache_prompt: true, typical_p: 1, cheese: [1] }
  const chat = { modalities: ['text'], prediction: null, reasoning_effort: 'none', functions: [], verbosity: 'medium' }
  t.equal((await ask(CHAT, { ...taken, ...chat })).status, 200)
  t.equal((await ask('/v1/completions', { ...taken, suffix: '', best_of: 1 })).status, 200)
  const response = { reasoning: { effort: null, summary: 'auto' }, truncation: 'disabled', max_tool_calls: 3 }
  t.equal((await ask('/v1/responses', { ...taken, ...response, models: null })).status, 200)
})
