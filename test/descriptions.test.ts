import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PictureCodec } from '@resultity/pictures'
import { type Swarm, swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import { test } from 'tap'
import { eventually } from './mesh-state.ts'

const fixtures = join(import.meta.dirname, '../../packages/blip/test/fixtures')
const CAPTIONER = 'tiny-captioner'
const ANSWERER = 'tiny-answerer'
const QUESTION = 'how many dogs are in the picture?'

/** Made by scripts/reference-blip.py: what transformers generates of its picture. */
interface Reference {
  readonly generated: readonly {
    readonly prompt: string | null
    readonly max_length: number
    readonly min_length?: number
    readonly repetition_penalty?: number
    readonly tokens: readonly number[]
    readonly text: string
  }[]
}

/** The picture of the reference, by its formula, of the size that the models look at. */
async function pngOfReference(): Promise<string> {
  const side = 32
  const rgb = Uint8Array.from({ length: 3 * side * side }, (_, index) => {
    const c = index % 3
    const x = Math.floor(index / 3) % side
    const y = Math.floor(index / (3 * side))
    const checks = ((Math.floor(x / 5) + Math.floor(y / 7)) % 2) * 90
    return (x * 7 + y * 13 + c * 50 + ((x * y * (c + 1)) % 61) * 3 + checks) % 256
  })
  const png = await new PictureCodec().encode({ width: side, height: side, rgb }, { format: 'png' })
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`
}

const image = await pngOfReference()

interface Described {
  readonly description: string
  readonly node: string
}

async function describe(url: string, body: object): Promise<Described> {
  const response = await fetch(`${url}/v1/images/description`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ image, ...body })
  })
  const answer = await response.json()
  if (response.status !== 200) throw new Error(`status ${response.status}: ${JSON.stringify(answer)}`)
  const route = response.headers.get('x-resultity-route') ?? ''
  return { description: answer.description, node: route.replace(/\[.*/, '') }
}

async function servingNodes(swarm: Swarm, model: string): Promise<readonly string[]> {
  const placements = await swarm.api.placements()
  const ready = placements.filter(one => one.model === model && one.state === 'ready')
  return ready.flatMap(({ stages }) => stages.map(({ peerId }) => peerId))
}

test('descriptions are those of transformers, on any node, and none is lost with one', async t => {
  const models = [CAPTIONER, ANSWERER].map(name => `file:${join(fixtures, name)}`)
  const swarm = await swarmFor(t, { nodes: 3, models })
  const { url } = swarm

  await t.test('both kinds of models write what the reference writes', async t => {
    for (const [model, file] of [
      [CAPTIONER, 'captioner.json'],
      [ANSWERER, 'answerer.json']
    ] as const) {
      const { generated }: Reference = JSON.parse(await readFile(join(fixtures, file), 'utf8'))
      for (const wanted of generated) {
        // the settings of the reference count the beginning of a text, and the token before it
        const given = 1 + (model === CAPTIONER && wanted.prompt !== null ? 3 : 0)
        const { description } = await describe(url, {
          model,
          prompt: wanted.prompt,
          max_tokens: wanted.max_length - given,
          min_tokens: Math.max(0, (wanted.min_length ?? 0) - given),
          repetition_penalty: wanted.repetition_penalty ?? 1
        })
        t.equal(description, wanted.text, `${model}: ${JSON.stringify(wanted.prompt)}`)
      }
    }
  })

  await t.test('the models are listed by what they do', async t => {
    const { data } = await (await fetch(`${url}/v1/models`)).json()
    for (const { kind } of data) t.equal(kind, 'captioner')
    const chat = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: CAPTIONER, messages: [{ role: 'user', content: 'hello' }] })
    })
    t.equal(chat.status, 400)
    t.match(await chat.json(), { error: { param: 'model', message: /says what pictures show/ } })
  })

  await t.test('the official client asks for what it has no method for', async t => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
    const body = { model: CAPTIONER, image: { image_url: { url: image } }, max_tokens: 3 }
    t.match(await client.post('/images/description', { body }), { model: CAPTIONER, usage: { completion_tokens: 3 } })
    const address = { ...body, image: 'https://example.org/cat.png' }
    const refused: unknown = await client.post('/images/description', { body: address }).catch(error => error)
    t.match(refused, { status: 400, param: 'image' })
  })

  const settings = { model: CAPTIONER, temperature: 1.2, seed: 11, min_tokens: 20, max_tokens: 30 }
  const first = await describe(url, settings)

  await t.test('a node that is killed with descriptions in hand: every one is given, and the same', async t => {
    const [serving] = await servingNodes(swarm, CAPTIONER)
    const node = swarm.nodes.find(({ peerId }) => peerId === serving)
    t.equal(first.node, serving)
    // stopped first, so that none of them can be through before the node is dead
    process.kill(Number(node?.pid), 'SIGSTOP')
    const running = Array.from({ length: 6 }, () => describe(url, settings))
    await eventually(
      'the node has them in hand',
      () => swarm.api.placements(),
      placements => placements.some(one => one.model === CAPTIONER && Number(one.sessionsOpen) > 0)
    )
    await node?.kill('SIGKILL')
    for (const { description, node: other } of await Promise.all(running)) {
      t.equal(description, first.description)
      t.not(other, serving)
    }
  })

  await t.test('what is left of the mesh answers questions, too', async t => {
    const { description } = await describe(url, { model: ANSWERER, prompt: QUESTION, repetition_penalty: 1.6 })
    t.type(description, 'string')
  })
})
