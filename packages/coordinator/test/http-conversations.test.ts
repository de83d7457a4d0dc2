import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import OpenAI, { toFile } from 'openai'
import t from 'tap'
import { startScriptedMesh } from './support/scripted-mesh.ts'

// Conversations, as OpenAI's client drives them.

const limits = { namespaceBytesMax: 200_000, bodyBytesMax: 60_000 }
const mesh = await startScriptedMesh(1, { contextLength: 512, limits })
t.teardown(() => mesh[Symbol.asyncDispose]())
const url = mesh.coordinator.httpUrl
const clientOf = (apiKey: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
const client = clientOf('none')
const { tokenizer } = mesh
const [endToken = 0] = tokenizer.endTokenIds

let prompt = ''
/** Has the node answer with this text. */
function answers(text: string): void {
  mesh.ring.script = ({ sample, prompt: ids }: Ring) => {
    prompt = tokenizer.decode(ids)
    return sample([...tokenizer.encode(text), endToken], 'end_token')
  }
}

const model = 'tiny-chat'
const user = (content: string) => ({ type: 'message' as const, role: 'user' as const, content })

async function texts(id: string): Promise<string[]> {
  const said: string[] = []
  for await (const item of client.conversations.items.list(id, { order: 'asc', limit: 1 })) {
    said.push(item.type === 'message' ? `${item.role}: ${JSON.stringify(item.content)}` : item.type)
  }
  return said.map(one =>
    one.replaceAll(/[^:]*: .*?"text":"([^"]*)".*/g, (all, text) => `${all.split(':')[0]}: ${text}`)
  )
}

t.test('a conversation is made, read, filed anew and deleted', async t => {
  const empty = await client.conversations.create()
  t.match(empty, { id: /^conv_[0-9a-f]{32}$/, object: 'conversation', metadata: {} })
  const made = await client.conversations.create({ metadata: { topic: 'a' }, items: [user('Hi.')] })
  t.same(openAiErrors('ConversationResource', made), [])
  t.same(await client.conversations.retrieve(made.id), made)
  t.match(await client.conversations.update(made.id, { metadata: { topic: 'b' } }), { metadata: { topic: 'b' } })
  t.match(await client.conversations.retrieve(made.id), { metadata: { topic: 'b' } })
  t.same(await texts(made.id), ['user: Hi.'])
  t.same(await client.conversations.delete(made.id), {
    id: made.id,
    object: 'conversation.deleted',
    deleted: true
  })
  for (const gone of [made.id, `conv_${'0'.repeat(32)}`, 'x']) {
    await t.rejects(client.conversations.retrieve(gone), { status: 404, code: 'not_found', param: 'conversation_id' })
    await t.rejects(client.conversations.delete(gone), { status: 404, code: 'not_found' })
    await t.rejects(client.conversations.items.create(gone, { items: [user('x')] }), { status: 404, code: 'not_found' })
    await t.rejects(texts(gone), { status: 404, code: 'not_found' })
  }
})

t.test('its items are added, listed in pages, read and deleted', async t => {
  const { id } = await client.conversations.create()
  const call = { type: 'function_call' as const, call_id: 'call_1', name: 'add', arguments: '{}' }
  const output = { type: 'function_call_output' as const, call_id: 'call_1', output: '3' }
  const added = await client.conversations.items.create(id, { items: [user('1 + 2?'), call, output] })
  t.same(openAiErrors('ConversationItemList', added), [])
  t.match(added.data, [{ id: /^msg_/ }, { id: /^fc_/, status: 'completed' }, { id: /^fco_/ }])
  t.match(added, { has_more: false, first_id: added.data[0]?.id, last_id: added.data[2]?.id })
  const [first, second, third] = added.data
  const newest = await client.conversations.items.list(id, { limit: 2 })
  t.same(
    newest.data.map(item => item.id),
    [third?.id, second?.id]
  )
  t.equal(newest.has_more, true)
  t.same(await client.conversations.items.retrieve(first?.id ?? '', { conversation_id: id }), first)
  t.match(await client.conversations.items.delete(first?.id ?? '', { conversation_id: id }), {
    id,
    object: 'conversation'
  })
  await t.rejects(client.conversations.items.retrieve(first?.id ?? '', { conversation_id: id }), {
    status: 404,
    code: 'not_found',
    param: 'item_id'
  })
  t.same(await texts(id), ['function_call', 'function_call_output'])
  await t.rejects(client.conversations.items.list(id, { after: 'nobody' }), {
    status: 400,
    code: 'invalid_request',
    param: 'after'
  })
})

t.test('what a model could not be shown is refused by name', async t => {
  const { id } = await client.conversations.create()
  const add = (items: unknown) => client.conversations.items.create(id, { items: items as [] })
  const refused = { status: 400, code: 'invalid_request' }
  const shown = (part: object) => ({ role: 'user', content: [{ type: 'input_image', ...part }] })
  for (const part of [{ image_url: 'https://example.com/cat.png' }, { image_url: 'x' }, { file_id: 'file-1' }]) {
    await t.rejects(add([user('a'), shown(part)]), { ...refused, param: 'items[1].content[0].image_url' })
  }
  const heard = { role: 'user', content: [{ type: 'input_audio' }] }
  await t.rejects(add([user('a'), heard]), { ...refused, param: 'items[1].content[0].type' })
  await t.rejects(add([{ type: 'web_search_call' }]), { status: 400, code: 'invalid_request', param: 'items[0].type' })
  await t.rejects(add(Array(21).fill(user('a'))), { status: 400, code: 'invalid_request', param: 'items' })
  await t.rejects(add('a'), { status: 400, code: 'invalid_request', param: 'items' })
  await t.rejects(client.conversations.create({ metadata: Object(7) }), {
    status: 400,
    code: 'invalid_request',
    param: 'metadata'
  })
  t.same(await texts(id), [], 'nothing of it is kept')
  const nothing = await fetch(`${url}/v1/conversations`, { method: 'POST', body: 'null' })
  t.equal(nothing.status, 400)
})

t.test('a picture is kept as it came', async t => {
  const { id } = await client.conversations.create()
  const image = { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'auto' } as const
  await client.conversations.items.create(id, { items: [{ role: 'user', content: [image] }] })
  const { data } = await client.conversations.items.list(id)
  t.match(data, [{ type: 'message', role: 'user', content: [image] }])
})

t.test('a response goes on with its conversation and becomes part of it', async t => {
  const { id } = await client.conversations.create({ items: [user('My name is Bo.')] })
  answers('Hello Bo.')
  const first = await client.responses.create({ model, input: 'Say hello.', conversation: id })
  t.same(openAiErrors('Response', first), [])
  t.same(first.conversation, { id })
  t.match(prompt, /My name is Bo\.[\s\S]*Say hello\./)
  const turns = ['user: My name is Bo.', 'user: Say hello.', 'assistant: Hello Bo.']
  t.same(await texts(id), turns)
  answers('Bo.')
  const stream = client.responses.stream({ model, input: [user('Who am I?')], conversation: { id } })
  t.match((await stream.finalResponse()).output_text, 'Bo.')
  t.match(prompt, /My name is Bo\.[\s\S]*Say hello\.[\s\S]*Hello Bo\.[\s\S]*Who am I\?/)
  turns.push('user: Who am I?', 'assistant: Bo.')
  t.same(await texts(id), turns)
  const shown = await client.responses.inputItems.list(first.id)
  t.equal(shown.data.length, 2, 'the conversation is part of the input')
  const unkept = await client.responses.create({ model, input: 'Psst.', conversation: id, store: false })
  t.match(prompt, /Psst\./)
  t.same(unkept.conversation, { id })
  t.same(await texts(id), turns, 'nothing is kept of what is not to be stored')
  await client.conversations.delete(id)
  t.equal((await client.responses.retrieve(first.id)).output_text, 'Hello Bo.', 'a response outlives its conversation')
})

t.test('items that are in it are not added again', async t => {
  const { id } = await client.conversations.create()
  answers('One.')
  const { output } = await client.responses.create({ model, input: 'Count.', conversation: id })
  const [before] = (await client.conversations.items.list(id, { order: 'asc' })).data
  answers('Two.')
  const sent = [
    ...output,
    { type: 'item_reference' as const, id: before?.id ?? '' },
    { ...user('On.'), id: before?.id }
  ]
  await client.responses.create({ model, input: sent as OpenAI.Responses.ResponseInput, conversation: id })
  t.same(await texts(id), ['user: Count.', 'assistant: One.', 'user: On.', 'assistant: Two.'])
})

t.test('in the background too, and nothing of one that failed', async t => {
  const { id } = await client.conversations.create()
  answers('Later.')
  const asked = await client.responses.create({ model, input: 'Now?', conversation: id, background: true })
  let { status } = asked
  while (status === 'queued' || status === 'in_progress') ({ status } = await client.responses.retrieve(asked.id))
  t.same(await texts(id), ['user: Now?', 'assistant: Later.'])
  mesh.ring.script = ring => ring.sample([endToken, endToken], 'end_token')
  const broken = client.responses.create({ model, input: 'And now?', conversation: id })
  await t.rejects(broken, { status: 502, code: 'protocol_violation' })
  t.same(await texts(id), ['user: Now?', 'assistant: Later.'])
  answers('Fine.')
})

t.test('a line of a file goes on with its conversation, and one of a call does not', async t => {
  const { id } = await client.conversations.create({ items: [user('My name is Bo.')] })
  answers('Hello Bo.')
  const line = {
    custom_id: 'one',
    method: 'POST',
    url: '/v1/responses',
    body: { model, input: 'Hi.', conversation: id }
  }
  const file = await client.files.create({
    file: await toFile(Buffer.from(JSON.stringify(line)), 'lines.jsonl'),
    purpose: 'batch'
  })
  const asked = { input_file_id: file.id, endpoint: '/v1/responses', completion_window: '24h' } as const
  let batch = await client.batches.create(asked)
  while (!['completed', 'failed'].includes(batch.status)) batch = await client.batches.retrieve(batch.id)
  t.match(batch, { status: 'completed', request_counts: { completed: 1, failed: 0 } })
  t.match(prompt, /My name is Bo\.[\s\S]*Hi\./)
  const turns = ['user: My name is Bo.', 'user: Hi.', 'assistant: Hello Bo.']
  t.same(await texts(id), turns)
  const answer = await client.post<object>('/batch', { body: { requests: [line] } })
  t.match(JSON.stringify(answer), /"status_code":400.*"param":"conversation"/)
  t.same(await texts(id), turns)
})

t.test('what cannot be gone on with is refused by name', async t => {
  const { id } = await client.conversations.create()
  const ask = (fields: object) => client.responses.create({ model, input: 'Hi.', ...fields })
  await t.rejects(ask({ conversation: 'conv_none' }), { status: 404, code: 'not_found', param: 'conversation' })
  await t.rejects(ask({ conversation: 7 }), { status: 400, code: 'invalid_request', param: 'conversation' })
  const { id: previous } = await ask({})
  await t.rejects(ask({ conversation: id, previous_response_id: previous }), {
    status: 400,
    code: 'invalid_request',
    param: 'previous_response_id'
  })
  const alone = client.responses.create({ model, conversation: id })
  await t.rejects(alone, { status: 400, code: 'invalid_request', param: 'input' })
})

t.test('a conversation has an end, and counts in its namespace', async t => {
  const { id } = await client.conversations.create()
  const text = 'x'.repeat(25_000)
  await client.conversations.items.create(id, { items: [user(text)] })
  await client.conversations.items.create(id, { items: [user(text)] })
  await t.rejects(client.conversations.items.create(id, { items: [user(text)] }), {
    status: 400,
    code: 'invalid_request',
    param: 'conversation'
  })
  const fill = async () => {
    for (;;) await client.conversations.create({ items: [user(text)] })
  }
  await t.rejects(fill(), { status: 429, code: 'storage_quota_exceeded' })
})
