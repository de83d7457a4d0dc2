import { join } from 'node:path'
import { type Swarm, swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import { test } from 'tap'
import { eventually } from './mesh-state.ts'

const MODEL = 'tiny-sd'
const folder = join(import.meta.dirname, '../../packages/diffusion-model/test/fixtures', MODEL)

/** On every machine: what is drawn with these never changes between two runs of one. */
const REQUEST = { model: MODEL, prompt: 'a cat on the mat, at dawn', seed: 5, steps: 12, guidance_scale: 4 }

interface Drawn {
  /** PNG, in base64. */
  readonly pictures: readonly (string | undefined)[]
  /** Who drew. */
  readonly nodes: readonly string[]
}

async function draw(url: string, body: object): Promise<Drawn> {
  const response = await fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...REQUEST, response_format: 'b64_json', ...body })
  })
  const answer = await response.json()
  if (response.status !== 200) throw new Error(`status ${response.status}: ${JSON.stringify(answer)}`)
  const pictures = answer.data.map(({ b64_json }: { readonly b64_json?: string }) => b64_json)
  const route = response.headers.get('x-resultity-route') ?? ''
  return { pictures, nodes: route.split(', ').map(one => one.replace(/\[.*/, '')) }
}

/** Peers that are drawing. */
async function busyNodes(swarm: Swarm): Promise<string[]> {
  const placements = await swarm.api.placements()
  const busy = placements.filter(({ sessionsOpen }) => Number(sessionsOpen) > 0)
  return busy.flatMap(({ stages }) => stages.map(({ peerId }) => peerId))
}

test('pictures are the same on any number of nodes, and when one dies', async t => {
  const swarm = await swarmFor(t, { nodes: 1, models: [`file:${folder}`] })
  const { url } = swarm
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
  /** A long one, with pictures on its way. */
  const stream = async (options: { readonly onPartial?: () => Promise<void>; readonly signal?: AbortSignal } = {}) => {
    const { onPartial, ...rest } = options
    const body = { ...REQUEST, steps: 160, stream: true, partial_images: 3 } as const
    const events = await client.images.generate(body, rest)
    const partials: string[] = []
    for await (const event of events) {
      if (event.type === 'image_generation.completed') return { partials, picture: event.b64_json }
      partials.push(event.b64_json)
      if (partials.length === 1) await onPartial?.()
    }
    throw new Error('the stream ended before the picture was done')
  }

  const [model] = await swarm.api.models()
  t.match(model, { id: MODEL, kind: 'diffusion' })
  const alone = await draw(url, { n: 4 })
  t.equal(new Set(alone.pictures).size, 4, 'four pictures, each another')
  t.equal(alone.nodes.length, 1)
  t.strictSame((await draw(url, {})).pictures, alone.pictures.slice(0, 1), 'one is the first of them')
  const quiet = await stream()
  t.equal(quiet.partials.length, 3)

  await t.test('of one request, on three nodes at once', async t => {
    await Promise.all([swarm.addNode(), swarm.addNode()])
    await swarm.untilNodes(3)
    const shared = await eventually(
      'three nodes draw',
      async () => {
        const drawn = await draw(url, { n: 4 })
        t.strictSame(drawn.pictures, alone.pictures)
        return drawn
      },
      ({ nodes }) => nodes.length === 3
    )
    t.equal(shared.pictures.length, 4)
  })

  await t.test('of a node that is killed amid it', async t => {
    const drawn = await stream({
      onPartial: async () => {
        const [busy] = await busyNodes(swarm)
        t.ok(busy, 'somebody draws it')
        await swarm.nodes.find(({ peerId }) => peerId === busy)?.kill('SIGKILL')
      }
    })
    t.strictSame(drawn, quiet, 'and so are the pictures on its way, and none is shown twice')
    await swarm.untilNodes(2)
  })

  await t.test('and one that nobody waits for any more ends', async t => {
    const gone = new AbortController()
    await t.rejects(stream({ signal: gone.signal, onPartial: async () => gone.abort() }))
    await eventually(
      'nobody draws',
      () => busyNodes(swarm),
      busy => busy.length === 0
    )
    t.strictSame((await draw(url, { n: 2 })).pictures, alone.pictures.slice(0, 2))
  })
})
