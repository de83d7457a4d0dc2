import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startPostgres } from '@resultity/test-postgres'
import { type Swarm, startSwarm } from '@resultity/testkit'
import t, { type Test } from 'tap'
import { type Block, logOf, submit, type Taken } from './crash-client.ts'
import type { Work } from './crash-works.ts'
import { eventually } from './mesh-state.ts'

const MODEL = 'tiny-sd'
const folder = join(import.meta.dirname, '../../packages/diffusion-model/test/fixtures', MODEL)
const STEPS = 200

const PATH = '/v1/images/generations'
const two: Work = { name: 'two, come back for', path: PATH, way: 'async', body: bodyOf({ n: 2 }) }
const shown: Work = { name: 'streamed and followed', path: PATH, way: 'stream', body: bodyOf({ partial_images: 3 }) }

function bodyOf(more: object) {
  const drawn = { model: MODEL, prompt: 'a cat on the mat', seed: 5, steps: STEPS, guidance_scale: 4 }
  return { ...drawn, response_format: 'b64_json', scheduler: 'dpmpp_2m', ...more }
}

/** The entries of a log, as they come. */
async function untilEntry({ url }: Swarm, { jobId }: Taken, isIt: (entry: Block) => boolean): Promise<void> {
  const response = await fetch(`${url}/v1/requests/${jobId}/events`)
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const type = /^event: (.*)$/m.exec(block)?.[1]
      const data = JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? '{}')
      if (isIt({ id: undefined, end: undefined, type, data })) return
    }
  }
  throw new Error(`the log of ${jobId} ended before that`)
}

async function keptFiles({ directory }: Swarm): Promise<string[]> {
  const names = await readdir(join(directory, 'coordinator/content'), { recursive: true })
  return names.filter(name => name.includes('cnt_')).toSorted()
}

/**
 * Kills the coordinator while its node stands still, so that it falls within a picture however fast that is drawn: once `count` files
 * are kept beside those of `before`, and no other takes the place of one, which is the last thing that is done with a state.
 */
async function killAmid(swarm: Swarm, before: readonly string[], count: number): Promise<void> {
  const pid = Number(swarm.nodes[0]?.pid)
  process.kill(pid, 'SIGSTOP')
  try {
    let seen = ''
    await eventually(
      `${count} files of pictures are kept`,
      async () => (await keptFiles(swarm)).filter(name => !before.includes(name)),
      names => {
        const settled = seen === names.join()
        seen = names.join()
        return settled && names.length >= count
      }
    )
    process.kill(swarm.coordinator.pid, 'SIGKILL')
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await swarm.restartCoordinator('SIGKILL')
}

const isStep =
  (picture: number, from: number) =>
  ({ type, data }: Block): boolean =>
    type === 'step' && data.index === picture && Number(data.step) >= from

/** What it drew, in base64. */
const picturesOf = (answer: Record<string, unknown>) =>
  (answer.data as { b64_json: string }[]).map(({ b64_json }) => b64_json)

async function check(t: Test, swarm: Swarm, taken: Taken, expected: readonly string[]): Promise<readonly Block[]> {
  t.same(picturesOf(await taken.answer(swarm)), expected, `${taken.work.name}: the pictures are the undisturbed ones`)
  const log = await logOf(swarm, String(taken.jobId))
  t.same(
    log.map(({ id }) => id),
    log.map((_, index) => index + 1),
    'no entry is missing or doubled'
  )
  for (const picture of expected.keys()) {
    const steps = log.filter(isStep(picture, 0)).map(({ data }) => Number(data.step))
    t.same(
      steps,
      steps.toSorted((a, b) => a - b).filter((step, at, all) => step !== all[at - 1])
    )
    t.equal(steps.length, 50)
  }
  return log.filter(({ type }) => type === 'resumed')
}

/** One picture after the other, so that a kill finds one done and the next begun. */
const inTurn = ['--sessions=1', '--picture-state-seconds=0', '--job-crashes-max=5']

async function startPainter(args: readonly string[]): Promise<Swarm> {
  return await startSwarm({ nodes: 1, models: [`file:${folder}`], coordinatorArgs: [...inTurn, ...args] })
}

async function undisturbed(swarm: Swarm, work: Work): Promise<readonly string[]> {
  return picturesOf(await (await submit(swarm, work)).answer(swarm))
}

const isPart = (step: number): boolean => step > 0 && step <= STEPS

const server = await startPostgres()
t.teardown(() => server.stop())

// leases that run out are waited for side by side
t.jobs = 2
const beside = () => ({ buffered: true })

t.test('pictures go on where they were when the coordinator is killed, on SQLite', beside(), async t => {
  await using swarm = await startPainter([])
  const expected = await undisturbed(swarm, two)
  t.equal(new Set(expected).size, 2)
  const before = await keptFiles(swarm)
  const taken = await submit(swarm, two)
  await untilEntry(swarm, taken, isStep(0, 4))
  await killAmid(swarm, before, 1)
  await untilEntry(swarm, taken, isStep(1, 4))
  // the first one, and a state of the second
  await killAmid(swarm, before, 2)
  const resumed = await check(t, swarm, taken, expected)
  const steps = resumed.map(({ data }) => [data.index, data.step])
  t.match(steps, [
    [0, Number],
    [1, Number],
    [0, STEPS]
  ])
  t.ok(
    steps.every(([, step]) => isPart(Number(step))),
    JSON.stringify(steps)
  )
})

t.test('and one that is watched on PostgreSQL, with what it shows on its way', beside(), async t => {
  await using swarm = await startPainter([`--store=${await server.createDatabase()}`])
  const expected = await undisturbed(swarm, shown)
  const before = await keptFiles(swarm)
  const taken = await submit(swarm, shown)
  await untilEntry(swarm, taken, isStep(0, 52))
  await killAmid(swarm, before, 1)
  const resumed = await check(t, swarm, taken, expected)
  t.match(resumed, [{ data: { index: 0, step: Number, steps: STEPS } }])
  t.ok(isPart(Number(resumed[0]?.data.step)))
  t.ok(await taken.followed(), 'its reader read it to the end')
  const log = await logOf(swarm, String(taken.jobId))
  const partials = log.filter(({ type }) => type === 'partial_image').map(({ data }) => data.partial)
  t.same(partials, [0, 1, 2], 'and saw each picture on its way, once')
})
