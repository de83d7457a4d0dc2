import t from 'tap'
import { CHAT, QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(1)
t.teardown(() => mesh[Symbol.asyncDispose]())
const [endToken = 0] = mesh.tokenizer.endTokenIds
mesh.ring.script = ({ sample }) => sample([...mesh.tokenizer.encode('Fine.'), endToken], 'end_token')

const ask = async (fields: object) => {
  const response = await mesh.post({ ...QUESTION, ...fields })
  return { status: response.status, body: await response.json() }
}

t.test('a fallback passes over models that are not served, wherever they stand', async t => {
  for (const models of [
    ['nobody', 'tiny-chat'],
    ['nobody', 'no-one', 'tiny-chat'],
    ['tiny-chat', 'nobody']
  ]) {
    const { status, body } = await ask({ models, strategy: 'fallback' })
    t.equal(status, 200, models.join())
    t.match(body, { model: 'tiny-chat', choices: [{ message: { content: 'Fine.' } }] })
    t.same(
      body.mesh.models.map((one: { model: string }) => one.model),
      models
    )
  }
  const { body } = await ask({ models: ['nobody', 'tiny-chat'] })
  t.match(body.mesh.models[0], { status: 'failed', error: { code: 'model_not_found', message: /"nobody"/ } })
  t.equal((await ask({ model: 'nobody+tiny-chat', strategy: 'fallback' })).status, 200, 'by a name with a plus')
})

t.test('streamed, and in completions, it is the same', async t => {
  const events = await readEvents(await mesh.post({ ...QUESTION, models: ['nobody', 'tiny-chat'], stream: true }))
  t.equal(events.pop(), '[DONE]')
  const chunks = events.map(event => JSON.parse(event))
  t.notOk(chunks.some(chunk => 'error' in chunk))
  t.equal(
    chunks
      .flatMap(({ choices }) => choices.map(({ delta }: { delta: { content?: string } }) => delta.content ?? ''))
      .join(''),
    'Fine.'
  )
  const response = await fetch(`${mesh.coordinator.httpUrl}/v1/completions`, {
    method: 'POST',
    body: JSON.stringify({ models: ['nobody', 'tiny-chat'], prompt: 'Once' })
  })
  t.match(await response.json(), { model: 'tiny-chat', object: 'text_completion' })
})

t.test('only when none is served is it 404, and one that cannot answer says why', async t => {
  const none = await ask({ models: ['nobody', 'no-one'] })
  t.equal(none.status, 404)
  t.match(none.body.error, { code: 'model_not_found', param: 'models[0]' })
  const long = [{ role: 'user', content: 'word '.repeat(4000) }]
  const { status, body } = await ask({ models: ['nobody', 'tiny-chat'], messages: long })
  t.equal(status, 400)
  t.equal(body.error.code, 'context_length_exceeded')
  const wrong = await ask({ models: ['nobody', 'tiny-chat'], temperature: 9 })
  t.equal(wrong.status, 400, 'what is wrong with the request is not passed over')
})

t.test('in the background, too', async t => {
  const url = mesh.coordinator.httpUrl
  const accepted = await fetch(`${url}${CHAT}?async=true`, {
    method: 'POST',
    body: JSON.stringify({ ...QUESTION, models: ['nobody', 'tiny-chat'] })
  })
  const { id } = await accepted.json()
  await (await fetch(`${url}/v1/requests/${id}/events`)).text()
  const result = await fetch(`${url}/v1/requests/${id}/result`)
  t.equal(result.status, 200)
  t.match(await result.json(), { model: 'tiny-chat' })
})
