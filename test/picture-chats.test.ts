import { readTokenizerFiles } from '@resultity/model'
import { PictureCodec } from '@resultity/pictures'
import { swarmFor } from '@resultity/testkit'
import { createTokenizer } from '@resultity/tokenizer'
import { test } from 'tap'
import { eventually, meshNodes, slotsTaken } from './mesh-state.ts'
import { drawnPicture, IDEFICS, ideficsReference } from './tiny-idefics.ts'
import { ask as told } from './told-answer.ts'

const MODEL = 'tiny-idefics'
const CHAT = '/v1/chat/completions'
const reference = await ideficsReference()
const tokenizer = createTokenizer(await readTokenizerFiles(IDEFICS), { vocabularySize: 299, contextLength: 2048 })
const codec = new PictureCodec()

async function urlOf([width, height]: readonly [number, number]): Promise<string> {
  const png = await codec.encode(drawnPicture(width, height), { format: 'png' })
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`
}

type Chat = (typeof reference.chats)[number]

async function messagesOf({ turns, sizes }: Pick<Chat, 'turns' | 'sizes'>) {
  const urls = await Promise.all(sizes.map(urlOf))
  return turns.map(([role, parts]) => ({
    role,
    content: parts.map(said =>
      said === 'image' ? { type: 'image_url', image_url: { url: urls.shift() ?? '' } } : { type: 'text', text: said }
    )
  }))
}

async function post(url: string, path: string, body: object): Promise<{ status: number; answer: Answer }> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  const answer = await response.json()
  if (response.status >= 500) throw new Error(JSON.stringify(answer))
  return { status: response.status, answer }
}

interface Answer {
  readonly choices: readonly { readonly message: { readonly content: string } }[]
  readonly usage: {
    readonly prompt_tokens: number
    readonly prompt_tokens_details: { readonly cached_tokens: number }
  }
  readonly output: readonly { readonly content: readonly { readonly text: string }[] }[]
  readonly data: readonly { readonly id: string; readonly input_modalities?: readonly string[] }[]
  readonly error: { readonly message: string; readonly param: string; readonly code: string }
}

const greedy = { model: MODEL, temperature: 0, ignore_eos: true }

test('chats with pictures are answered as the reference answers them', async t => {
  const swarm = await swarmFor(t, { nodes: 3, models: [`file:${IDEFICS}`, 'tiny-chat'] })
  const { url } = swarm
  const textOf = ({ answer }: Pick<Chat, 'answer'>): string => tokenizer.decode(answer)

  for (const stages of [1, 2, 3]) {
    await t.test(`on ${stages} stages, cold and from what was kept`, async t => {
      for (const chat of reference.chats) {
        const body = { ...greedy, messages: await messagesOf(chat), max_tokens: chat.answer.length, mesh: { stages } }
        const { answer } = await post(url, CHAT, body)
        t.equal(answer.choices[0]?.message.content, textOf(chat))
        t.equal(answer.usage.prompt_tokens, chat.prompt.length, 'pictures count')
        const again = await post(url, CHAT, { ...body, n: 2 })
        t.same(
          again.answer.choices.map(({ message }) => message.content),
          [textOf(chat), textOf(chat)]
        )
        t.ok(again.answer.usage.prompt_tokens_details.cached_tokens >= 64, 'some of it was kept')
      }
    })
  }

  await t.test('a picture of the same size is another picture', async t => {
    const [chat] = reference.chats
    if (chat === undefined) throw new Error('the reference has chats')
    const other = drawnPicture(61, 47).rgb.map(value => 255 - value)
    const png = await codec.encode({ width: 61, height: 47, rgb: other }, { format: 'png' })
    const messages = await messagesOf(chat)
    const image = { type: 'image_url', image_url: `data:image/png;base64,${Buffer.from(png).toString('base64')}` }
    const body = { ...greedy, max_tokens: 24, messages: [{ role: 'user', content: [image, messages[0]?.content[1]] }] }
    const { answer } = await post(url, CHAT, body)
    t.not(answer.choices[0]?.message.content, textOf(chat))
    t.equal(answer.usage.prompt_tokens, chat.prompt.length)
  })

  await t.test('responses show pictures too', async t => {
    const [chat] = reference.chats
    if (chat === undefined) throw new Error('the reference has chats')
    const content = [
      { type: 'input_image', image_url: await urlOf([61, 47]) },
      { type: 'input_text', text: 'What is this?' }
    ]
    const body = { model: MODEL, temperature: 0, max_output_tokens: 24, ignore_eos: true }
    const { answer } = await post(url, '/v1/responses', { ...body, input: [{ role: 'user', content }] })
    t.equal(answer.output[0]?.content[0]?.text, textOf(chat), JSON.stringify(answer))
  })

  await t.test('what is no picture to be shown is refused by its place, and nothing is fetched', async t => {
    const image = await urlOf([9, 9])
    const shown = (address: unknown) => [{ role: 'user', content: [{ type: 'image_url', image_url: address }] }]
    const many = Array.from({ length: 4 }, () => ({ type: 'image_url', image_url: { url: image } }))
    for (const [body, message] of [
      [{ messages: shown({ url: 'http://127.0.0.1:9/cat.png' }) }, /is an address, and none is fetched/],
      [{ messages: shown('https://example.org/cat.png') }, /is an address/],
      [{ messages: shown('file:///etc/passwd') }, /is an address/],
      [{ messages: shown('cat.png') }, /is no data URL/],
      [{ messages: shown('data:image/png;base64,AAAA') }, /is no picture/],
      [{ messages: shown(image.slice(0, 120)) }, /image_url/],
      [{ messages: [{ role: 'user', content: many }] }, /68 pieces, 64 are taken/],
      [
        {
          messages: [
            { role: 'system', content: [many[0]] },
            { role: 'user', content: 'a' }
          ]
        },
        /not served/
      ],
      [{ model: 'tiny-chat', messages: shown(image) }, /"image_url" parts are not served by this model/]
    ] as const) {
      const { status, answer } = await post(url, CHAT, { ...greedy, max_tokens: 4, ...body })
      t.equal(status, 400, JSON.stringify(answer))
      t.match(answer.error?.message, message)
    }
    const text = await post(url, CHAT, { ...greedy, max_tokens: 4, messages: [{ role: 'user', content: '<image>' }] })
    t.equal(text.status, 200, 'the letters of a token are letters')
  })
})

test('an answer about pictures outlives the node that looked at them', async t => {
  const swarm = await swarmFor(t, { nodes: 4, stages: 2, models: [`file:${IDEFICS}`] })
  const [chat] = reference.chats
  if (chat === undefined) throw new Error('the reference has chats')
  const body = { ...greedy, messages: await messagesOf(chat), max_tokens: 300, stream: true }
  const undisturbed = await told(swarm.url, { body })
  const victim = swarm.nodes.find(({ peerId }) => peerId === undisturbed.mesh.route[0]?.peerId)
  let gone: Promise<void> | undefined
  const again = await told(swarm.url, { body }, () => {
    gone ??= victim?.kill('SIGKILL')
  })
  t.same(again.choices, undisturbed.choices, 'no token is another, missing or told twice')
  t.match(again.mesh.reroutes, { exact: true })
  await gone
  await eventually(
    'no slot is left behind',
    async () => slotsTaken(await meshNodes(swarm.url)),
    taken => taken === 0
  )
})
