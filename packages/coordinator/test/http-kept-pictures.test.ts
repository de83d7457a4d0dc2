import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writePictureEvent, writePictureResult } from '@resultity/interface'
import { eventually } from '@resultity/test-api'
import type { ScriptedJob } from '@resultity/test-nodes'
import t from 'tap'
import { colourOf, GENERATIONS, pictureJobOf, plain } from './support/image-mesh.ts'
import { startJobMesh } from './support/job-mesh.ts'

const fixture = join(import.meta.dirname, '../../../diffusion-model/test/fixtures/tiny-sd')
const unused = async (): Promise<void> => {}
const mesh = await startJobMesh(t, 1, unused, { models: [`file:${fixture}`], limits: { pictureStateMs: 0 } })
const content = join(mesh.dataDir, 'content')
const STEPS = 4
/** Four channels of 4 × 4. */
const LATENTS = 64

const kept = async (): Promise<string[]> =>
  (await readdir(content, { recursive: true })).filter(name => name.includes('cnt_'))

/** Makes a step, waits, and makes the others. */
async function draw(scripted: ScriptedJob, held: Promise<void>): Promise<void> {
  const job = pictureJobOf(scripted)
  await scripted.send({ type: 'started', sequence: 0 })
  for (let step = 1; step <= STEPS; step++) {
    if (step === 2) await held
    const state = { step, latents: new Float32Array(LATENTS).fill(step), carried: [] }
    await scripted.send({ type: 'chunk', sequence: step, chunk: writePictureEvent({ type: 'step', step, state }) })
  }
  const result = writePictureResult(plain(job, colourOf(job.picture)), job)
  await scripted.send({ type: 'result', sequence: STEPS + 1, result })
}

async function ask(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const all = { 'content-type': 'application/json', ...headers }
  const response = await fetch(`${mesh.url}${path}`, { method, ...(body && { headers: all }), ...sent })
  return { status: response.status, body: await response.json() }
}

const request = { prompt: 'a', size: '16x16', steps: STEPS, scheduler: 'ddim', response_format: 'b64_json' }
const ended = (id: string) =>
  eventually(
    'it has ended',
    () => ask('GET', `/v1/requests/${id}`),
    ({ body }) => !['queued', 'running'].includes(body.status)
  )

t.test('what is kept of a picture on its way goes with its request, however that ends', async t => {
  const ends = {
    succeeded: async (_: string, go: () => void) => go(),
    cancelled: async (id: string) => void (await ask('POST', `/v1/requests/${id}/cancel`))
  }
  for (const [status, end] of Object.entries(ends)) {
    const hold = Promise.withResolvers<void>()
    mesh.script = job => draw(job, hold.promise)
    const { body } = await ask('POST', GENERATIONS, request, { prefer: 'respond-async' })
    await eventually(`${status}: a state is kept`, kept, ({ length }) => length === 1)
    t.same((await ask('GET', '/v1/files')).body.data, [], 'it is no file of the client')
    await end(body.id, hold.resolve)
    t.match(await ended(body.id), { body: { status } })
    await eventually(`${status}: nothing is kept any more`, kept, ({ length }) => length === 0)
  }
})

t.test('nothing is kept of a picture that somebody waits for', async t => {
  let most = 0
  mesh.script = async job => {
    await draw(job, Promise.resolve())
    most = Math.max(most, (await kept()).length)
  }
  t.match(await ask('POST', GENERATIONS, request), { status: 200 })
  t.equal(most, 0)
})
