import type { GenerationEvent } from '@resultity/generation'
import type { SeededRandom } from '@resultity/test-mesh'
import { answerOf } from '@resultity/test-mesh'
import { testSeed } from '@resultity/test-property'
import t from 'tap'
import { SimulatedCoordinator } from '../src/simulated-coordinator.ts'
import { SimulatedNode } from '../src/simulated-node.ts'
import { SimulatedRequest } from '../src/simulated-request.ts'
import { World } from '../src/world.ts'

const SEEDS = 20
const NODES = 5
const STAGES = 3
const TOKENS_MAX = 64
/** Noticing, another node's layers, and all that stood once more: links take up to 40 ms, and a piece up to a second. */
const ROUND_MS = 20_000

/** A mesh from a seed, with a placement that is ready. */
async function meshOf(seed: number) {
  const world = await World.make(seed, () => {})
  const coordinator = await SimulatedCoordinator.make(world, STAGES)
  void coordinator.start()
  await world.scheduler.run(() => coordinator.mesh !== undefined, 10_000)
  const nodes: SimulatedNode[] = []
  for (let index = 0; index < NODES; index++) nodes.push(await SimulatedNode.make(world, index))
  for (const node of nodes) void node.start(coordinator.address)
  const placement = () => coordinator.mesh?.director.table.all().find(({ state }) => state === 'ready')
  const placed = await world.scheduler.run(() => placement()?.stages.length === STAGES, 60_000)
  if (!placed) throw new Error(`seed ${seed}: the model was not placed`)
  const peers = () => placement()?.stages.map(({ peerId }) => peerId) ?? []
  return { world, coordinator, peers }
}

/** A prompt with an answer of some length. */
function promptOf({ model }: World, random: SeededRandom): number[] {
  for (;;) {
    const prompt = Array.from({ length: random.between(1, 60) }, () =>
      random.below(model.manifest.config.vocabularySize - 1)
    )
    if (answerOf(model.manifest, prompt, TOKENS_MAX).length > 8) return prompt
  }
}

/** Lets time pass until a request has ended. */
async function toItsEnd({ scheduler }: World, request: SimulatedRequest, coordinator: SimulatedCoordinator) {
  let ended = false
  const asking = request.run(coordinator).finally(() => {
    ended = true
  })
  asking.catch(() => undefined)
  if (await scheduler.run(() => ended, 200_000)) await asking
}

t.test(
  `${SEEDS} seeds: a link between two stages that stalls is gone round, and the next request does not meet it`,
  async t => {
    const slow: string[] = []
    const beside: string[] = []
    let decoding = 0
    for (let index = 0; index < SEEDS; index++) {
      const seed = testSeed() + index
      const { world, coordinator, peers } = await meshOf(seed)
      const { scheduler, network } = world
      const random = world.random.fork()
      const prompt = promptOf(world, random)
      const tokensMax = TOKENS_MAX
      const length = answerOf(world.model.manifest, prompt, tokensMax).length
      const at = index % 2 === 0 ? 0 : random.between(1, length - 4)
      if (at > 0) decoding++
      const from = random.below(STAGES)
      const link = [peers()[from] ?? '', peers()[(from + 1) % STAGES] ?? ''] as const
      let stalledAtMs: number | undefined
      const stall = (): void => {
        stalledAtMs ??= scheduler.elapsedMs
        network.stall(...link)
        network.stall(link[1], link[0])
      }
      const wiring = async function* (events: AsyncIterable<GenerationEvent>) {
        let tokens = 0
        for await (const event of events) {
          if (event.type === 'token' && ++tokens === at) stall()
          yield event
        }
      }
      const init = {
        via: 'driver',
        namespace: 'default',
        prompt,
        tokensMax,
        workClass: 'interactive',
        patienceMs: undefined,
        readMs: 0
      } as const
      const first = new SimulatedRequest(world, 0, init, wiring)
      if (at === 0) scheduler.process().setTimeout(stall, 300 * random.fraction())
      await toItsEnd(world, first, coordinator)
      const tookMs = scheduler.elapsedMs - (stalledAtMs ?? 0)
      if (first.outcome !== 'answered' || tookMs > ROUND_MS) slow.push(`seed ${seed}: ${first.outcome} after ${tookMs}`)

      const next = new SimulatedRequest(world, 1, init, events => events)
      const askedAtMs = scheduler.elapsedMs
      await toItsEnd(world, next, coordinator)
      const nextMs = scheduler.elapsedMs - askedAtMs
      if (next.outcome !== 'answered' || nextMs > ROUND_MS)
        slow.push(`seed ${seed}: then ${next.outcome} after ${nextMs}`)
      const ring = peers()
      const pairs = ring.map((peer, index) => `${peer} ${ring[(index + 1) % ring.length]}`)
      if (stalledAtMs !== undefined && tookMs < ROUND_MS && pairs.includes(link.join(' '))) beside.push(`seed ${seed}`)
      await world.end()
    }
    t.same(slow, [])
    t.same(beside, [], 'the two are not beside each other')
    t.equal(decoding, SEEDS / 2, `${decoding} in the midst of an answer, the others in their prompts`)
  }
)
