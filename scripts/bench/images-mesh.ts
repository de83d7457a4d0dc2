import { setTimeout } from 'node:timers/promises'
import { MeshError, safeParse } from '@resultity/interface'
import { type Swarm, startSwarm } from '@resultity/testkit'
import { z } from 'zod'
import { median } from './contestant.ts'

/** One guided picture on a mesh of nodes of one thread each: the median of the rounds. */
export interface MeshPictureRow {
  readonly nodes: number
  readonly side: number
  readonly seconds: number
  /** Seconds of one node over these. */
  readonly speedup: number
  /** Whether it is the picture of one node, byte by byte. */
  readonly samePicture: boolean
}

export interface MeshPicturesInit {
  /** Folder of a model whose runs take so long that both of a step are made at once. */
  readonly model: string
  readonly side: number
  readonly rounds: number
  /** The coordinator's directory, kept so that the model is imported once. */
  readonly coordinatorData: string
  readonly log: (line: string) => void
}

const STEPS = 3
const POLL_MS = 500
const WAITS_MAX = 1200
/** The wide model, and what a picture of twice its sides takes. */
const NODE_BYTES = 14e9

const answerSchema = z.looseObject({ data: z.array(z.object({ b64_json: z.string() })).length(1) })

/** Draws the same picture on one node, and on two that each make half of every step. */
export async function drawOnMesh(init: MeshPicturesInit): Promise<MeshPictureRow[]> {
  const { model, side, coordinatorData, log } = init
  const models = [`file:${model}`]
  await using swarm = await startSwarm({ nodes: 1, models, coordinatorData, stages: 'auto', memoryBytes: NODE_BYTES })
  const alone = await measure(swarm, init)
  log(`one node: ${alone.seconds.toFixed(1)} s`)
  await swarm.addNode()
  await swarm.untilNodes(2)
  // the picture that finds one node idle has another one made ready
  await draw(swarm, side)
  await untilServed(swarm, 2)
  const split = await measure(swarm, init)
  log(`two nodes: ${split.seconds.toFixed(1)} s`)
  return [alone, split].map(({ seconds, picture }, index) => ({
    nodes: index + 1,
    side,
    seconds,
    speedup: alone.seconds / seconds,
    samePicture: picture === alone.picture
  }))
}

async function measure(swarm: Swarm, { side, rounds }: MeshPicturesInit) {
  const times: number[] = []
  const pictures = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now()
    pictures.add(await draw(swarm, side))
    times.push((performance.now() - begun) / 1000)
  }
  return { seconds: median(times), picture: [...pictures].join() }
}

/** @returns the file, in base64. @throws MeshError `internal` with what the mesh said */
async function draw({ url }: Swarm, side: number): Promise<string> {
  const size = `${side}x${side}`
  const response = await fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'a cat', seed: 3, steps: STEPS, size, response_format: 'b64_json' })
  })
  const text = await response.text()
  const [picture] = response.ok ? (safeParse(answerSchema, JSON.parse(text)).data?.data ?? []) : []
  if (picture === undefined) throw new MeshError('internal', `the mesh answered ${response.status}: ${text}`)
  return picture.b64_json
}

async function untilServed(swarm: Swarm, count: number): Promise<void> {
  for (let wait = 0; wait < WAITS_MAX; wait++) {
    const ready = (await swarm.api.placements()).filter(({ state }) => state === 'ready')
    if (ready.length >= count) return
    await setTimeout(POLL_MS)
  }
  throw new MeshError('internal', `no ${count} nodes served the model within ${(WAITS_MAX * POLL_MS) / 1000} s`)
}
