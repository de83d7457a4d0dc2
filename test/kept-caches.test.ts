import { type SwarmNode, swarmFor } from '@resultity/testkit'
import { test } from 'tap'
import { eventually, meshNodes, slotsTaken } from './mesh-state.ts'
import { type Asked, ask, type Told } from './told-answer.ts'

const messages = [{ role: 'user', content: 'What is the capital of France? '.repeat(8) }]
const body = { model: 'tiny-chat', messages, max_tokens: 400, ignore_eos: true }
const asked: Record<string, Asked> = {
  greedy: { body: { ...body, temperature: 0, stream: true } },
  'seeded, with penalties': {
    body: { ...body, temperature: 1, seed: 7, frequency_penalty: 0.4, repetition_penalty: 1.1, stream: true }
  }
}

/** What a node writes down when a session is over. */
interface SessionRecord {
  readonly session: string
  readonly epoch: number
  readonly range: { readonly first: number; readonly end: number }
  /** Positions that it had of an earlier epoch. */
  readonly held: number
  /** Positions that it computed. */
  readonly computed: number
}

function recordsOf({ logs }: Pick<SwarmNode, 'logs'>): readonly SessionRecord[] {
  const lines = logs().map((line): Partial<SessionRecord> => (line.startsWith('{') ? JSON.parse(line) : {}))
  return lines.filter((line): line is SessionRecord => line.computed !== undefined)
}

/** Of one answer that went on: what the node with the layers from `lost` on computed, and the others computed twice. These may have begun with kept positions. */
function repeatedBy(records: readonly SessionRecord[], lost: number | undefined) {
  const last = Math.max(...records.map(({ epoch }) => epoch))
  const final = records.filter(({ epoch }) => epoch === last)
  const positions = Math.max(...final.map(({ held, computed }) => held + computed))
  const others = Map.groupBy(
    records.filter(({ range }) => range.first !== lost),
    ({ range }) => range.first
  )
  const twice = [...others.values()].map(of => of.reduce((sum, { computed }) => sum + computed, 0) - positions)
  const replaced = final.find(({ range }) => range.first === lost)?.computed
  return { replaced, survivors: Math.max(0, ...twice), positions }
}

/** Positions that run at once, and tokens on their way: nobody knows of them when a stage is lost. */
const UNDER_WAY = 16

test('a stage that is replaced computes the answer again, and no other does', async t => {
  const swarm = await swarmFor(t, { nodes: 4, stages: 3, nodeArgs: ['--log-level=debug'] })
  const alone = Object.entries(asked).map(
    async ([name, one]): Promise<[string, Told]> => [name, await ask(swarm.url, one)]
  )
  const undisturbed = new Map(await Promise.all(alone))
  const seen = new Set<string>()
  for (const [stage, what] of ['first', 'middle'].entries()) {
    const { route } = (await ask(swarm.url, { body: { ...body, max_tokens: 1 } })).mesh
    const victim = swarm.nodes.find(({ peerId }) => peerId === route[stage]?.peerId)
    let pieces = 0
    let gone: Promise<void> | undefined
    const onPiece = (): void => {
      if (++pieces >= 120) gone ??= victim?.kill('SIGKILL')
    }
    const asking = Object.entries(asked).map(async ([name, one]) => {
      t.same((await ask(swarm.url, one, onPiece)).choices, undisturbed.get(name)?.choices, `${what}, ${name}: the same`)
    })
    await Promise.all(asking)
    await gone
    await eventually(
      'no slot is left behind',
      async () => slotsTaken(await meshNodes(swarm.url)),
      taken => taken === 0
    )
    const records = swarm.nodes.filter(node => node !== victim).flatMap(recordsOf)
    const lost = route[stage]?.range.first
    const moved = Map.groupBy(
      records.filter(({ session }) => !seen.has(session)),
      ({ session }) => session
    )
    for (const session of moved.keys()) seen.add(session)
    const again = [...moved.values()].filter(of => of.some(({ epoch }) => epoch > 1)).map(of => repeatedBy(of, lost))
    t.ok(again.length > 0, `${what}: an answer went on`)
    for (const { replaced, survivors, positions } of again) {
      t.equal(replaced, positions, `${what}: the node that takes its place computes all ${positions} positions`)
      t.ok(survivors <= UNDER_WAY, `${what}: the others compute ${survivors} positions twice`)
    }
    await swarm.addNode()
    await swarm.untilNodes(4)
  }
})
