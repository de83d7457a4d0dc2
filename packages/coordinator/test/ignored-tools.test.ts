import { openAiErrors } from '@resultity/test-api'
import t from 'tap'
import { startScriptedMesh } from './support/scripted-mesh.ts'

// Clients offer tools that OpenAI's servers run, whether they are needed or not.

const mesh = await startScriptedMesh(1)
t.teardown(() => mesh[Symbol.asyncDispose]())
const [endToken = 0] = mesh.tokenizer.endTokenIds
let prompt = ''
mesh.ring.script = ring => {
  prompt = mesh.tokenizer.decode(ring.prompt)
  return ring.sample([...mesh.tokenizer.encode('Fine.'), endToken], 'end_token')
}

const HEADER = 'x-resultity-ignored-tools'
const shell = { type: 'function', name: 'shell', parameters: { type: 'object', properties: {} } }

async function ask(body: object, query = '') {
  const response = await fetch(`${mesh.coordinator.httpUrl}/v1/responses${query}`, {
    method: 'POST',
    body: JSON.stringify({ model: 'tiny-chat', input: 'Hi', ...body })
  })
  return { status: response.status, ignored: response.headers.get(HEADER), text: await response.text() }
}

t.test('they are left out, and the answer says so in whatever way it is asked for', async t => {
  const tools = [shell, { type: 'web_search' }, { type: 'web_search_preview_2025_03_11' }, { type: 'web_search' }]
  const ignored = 'web_search, web_search_preview_2025_03_11'
  const whole = await ask({ tools })
  t.match(whole, { status: 200, ignored })
  const response = JSON.parse(whole.text)
  t.same(openAiErrors('Response', response), [])
  t.same(
    response.tools.map((tool: { type: string }) => tool.type),
    ['function']
  )
  t.match(prompt, /"shell"/)
  t.notMatch(prompt, /web_search/)
  t.match(await ask({ tools, stream: true }), { status: 200, ignored, text: /response\.completed/ })
  t.match(await ask({ tools, background: true }), { status: 200, ignored })
  t.match(await ask({ tools }, '?async=true'), { status: 202, ignored })
  for (const type of ['file_search', 'code_interpreter', 'image_generation', 'mcp']) {
    t.match(await ask({ tools: [{ type }] }), { status: 200, ignored: type }, type)
  }
  t.equal((await ask({ tools: [shell] })).ignored, null)
  t.equal((await ask({})).ignored, null)
})

t.test('a choice of one is refused, and so is what clients would run themselves', async t => {
  const cases = [
    [{ tools: [shell, { type: 'web_search' }], tool_choice: { type: 'web_search' } }, 'tool_choice'],
    [{ tools: [{ type: 'web_search' }], tool_choice: 'required' }, 'tool_choice'],
    [{ tools: [{ type: 'web_search' }], tool_choice: { type: 'function', name: 'f' } }, /^tool_choice/],
    [{ tools: [{ type: 'web_search' }, { type: 'local_shell' }] }, 'tools[1].type'],
    [
      { tools: [{ type: 'web_search' }, { ...shell, parameters: { type: 'array' } }], tool_choice: 'required' },
      /^tools\[1\]/
    ]
  ] as const
  for (const [fields, param] of cases) {
    const { status, text } = await ask(fields)
    t.equal(status, 400, JSON.stringify(fields))
    t.match(JSON.parse(text).error, { param }, JSON.stringify(fields))
  }
})
