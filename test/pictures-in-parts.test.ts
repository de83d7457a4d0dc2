import { join } from 'node:path'
import { type Swarm, swarmFor } from '@resultity/testkit'
import t, { type Test } from 'tap'
import { eventually } from './mesh-state.ts'

const MODEL = 'tiny-sd'
const folder = join(import.meta.dirname, '../../packages/diffusion-model/test/fixtures', MODEL)

const GENERATIONS = '/v1/images/generations'
const REQUEST = { model: MODEL, prompt: 'a cat on the mat, at dawn', seed: 5, steps: 12, guidance_scale: 4 }
/** Text encoders, denoiser and decoder each on a node of its own. */
const apart = { stages: 3 }

interface Drawn {
  /** In base64: pictures on the way, and those that are done. */
  readonly pictures: readonly string[]
  /** Who drew, in the order of the sections. */
  readonly nodes: readonly string[]
}

const peersOf = (route: string | null): string[] => [...(route ?? '').matchAll(/12D3\w+/g)].map(([peer]) => peer)

async function ask(url: string, path: string, body: object): Promise<Drawn> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...REQUEST, response_format: 'b64_json', ...body })
  })
  const answer = await response.json()
  if (response.status !== 200) throw new Error(`status ${response.status}: ${JSON.stringify(answer)}`)
  const pictures = answer.data.map(({ b64_json }: { readonly b64_json: string }) => b64_json)
  return { pictures, nodes: peersOf(response.headers.get('x-resultity-route')) }
}

/** A long one, with pictures on its way. @param onPartial behind the first of them */
async function watch(url: string, mesh: object, onPartial: () => Promise<void> = async () => {}): Promise<string[]> {
  const response = await fetch(`${url}${GENERATIONS}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...REQUEST, steps: 120, stream: true, partial_images: 3, mesh })
  })
  const decoder = new TextDecoder()
  const pictures: string[] = []
  let text = ''
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? '{}')
      if (data.error !== undefined) throw new Error(JSON.stringify(data))
      if (typeof data.b64_json !== 'string') continue
      pictures.push(data.b64_json)
      if (pictures.length === 1) await onPartial()
    }
  }
  return pictures
}

/** The nodes of the placement in three parts that serves now, in the order of their sections. */
async function partNodes(swarm: Swarm): Promise<string[]> {
  const ready = await eventually(
    'a placement in parts is ready',
    async () => (await swarm.api.placements()).filter(({ state, stages }) => state === 'ready' && stages.length === 3),
    all => all.length > 0
  )
  return ready[0]?.stages.map(({ peerId }) => peerId) ?? []
}

t.test('pictures are the same where the sections of their model are on three nodes', async t => {
  const swarm = await swarmFor(t, { nodes: 4, models: [`file:${folder}`] })
  const { url } = swarm
  const whole = await ask(url, GENERATIONS, { n: 2 })
  const image = `data:image/png;base64,${whole.pictures[0]}`

  const inParts = await ask(url, GENERATIONS, { n: 2, mesh: apart })
  t.same(inParts.pictures, whole.pictures)
  t.equal(new Set(inParts.nodes).size, 3, 'each section on a node of its own')

  await t.test('with each kind of scheduler, with and without guidance, and from another picture', async t => {
    const cases: Record<string, [string, object]> = {
      'one that looks back': [GENERATIONS, { scheduler: 'dpmpp_2m' }],
      'one that adds noise': [GENERATIONS, { scheduler: 'euler_a' }],
      'no guidance': [GENERATIONS, { guidance_scale: 1 }],
      'a long prompt': [GENERATIONS, { prompt: 'a cat on the mat '.repeat(40) }],
      'begun with another': ['/v1/images/edits', { images: [{ image_url: image }], strength: 0.5 }],
      'a variation': ['/v1/images/variations', { image, prompt: undefined }]
    }
    for (const [what, [path, body]] of Object.entries(cases)) {
      t.same((await ask(url, path, { ...body, mesh: apart })).pictures, (await ask(url, path, body)).pictures, what)
    }
  })

  const quiet = await watch(url, {})
  t.equal(quiet.length, 4)
  for (const [section, name] of ['text encoders', 'denoiser', 'decoder'].entries()) {
    await t.test(`also when the node with the ${name} is killed amid one`, async t => {
      const drawn = await watch(url, apart, async () => await kill(t, swarm, section))
      t.same(drawn, quiet, 'and so are the pictures on its way, none of which is shown twice')
      await swarm.addNode()
      await swarm.untilNodes(4)
    })
  }
})

async function kill(t: Test, swarm: Swarm, section: number): Promise<void> {
  const peerId = (await partNodes(swarm))[section]
  t.ok(peerId)
  await swarm.nodes.find(node => node.peerId === peerId)?.kill('SIGKILL')
}

t.test('a model that fits no node whole is placed on several by itself', async t => {
  // it takes 5.0 MB, 3.9 of them for its decoder
  const swarm = await swarmFor(t, { nodes: 3, models: [`file:${folder}`], memoryBytes: 4_100_000 })
  const drawn = await ask(swarm.url, GENERATIONS, {})
  t.ok(new Set(drawn.nodes).size > 1, `${drawn.nodes}`)
})
