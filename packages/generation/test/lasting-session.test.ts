import { MeshError } from '@resultity/interface'
import { Placement } from '@resultity/placement'
import { placeable } from '@resultity/test-nodes'
import type { OpenSession, StageFrame } from '@resultity/wire'
import t from 'tap'
import { LastingSession } from '../src/lasting-session.ts'
import type { Reroutes } from '../src/recovery-state.ts'
import { ANSWER, LIMITS, type StageScript, stagesByScript } from './support/stages-by-script.ts'

const { prompt: PROMPT, tokensMax: TOKENS } = ANSWER

/** A node that serves the whole model. */
interface NodeInit {
  readonly kernels: string
  /** It stops after so many new tokens. */
  readonly tokens: number
}

/** The frames of one route: it runs what stands, and goes on. */
function* answerTo({ session, epoch, committed = [] }: OpenSession, tokens: number): Generator<StageFrame> {
  yield { type: 'opened', session, epoch }
  const standing = committed.length
  if (standing > 0) yield { type: 'replayed', session, epoch, position: PROMPT.length + standing - 1, exact: true }
  for (let at = standing; at < Math.min(TOKENS, standing + tokens); at++) {
    const finish = at === TOKENS - 1 ? 'tokens_max' : 'continues'
    yield { type: 'sampled', session, epoch, position: PROMPT.length + at, token: at, finish, logprob: 0, top: [] }
  }
  if (standing + tokens >= TOKENS) return
  yield { type: 'fault', session, epoch, error: new MeshError('unavailable', 'the node is shutting down') }
}

/** How an answer came about that goes from one node to the next. */
async function rerouted(
  nodes: readonly NodeInit[],
  opens: OpenSession[] = []
): Promise<Reroutes & { readonly tokens: readonly number[] }> {
  const { scheduler, peerIds, components } = await stagesByScript(nodes.map(({ tokens }) => answering(tokens, opens)))
  const model = placeable(2)
  const placements = nodes.map(({ kernels }, index) => {
    const peerId = peerIds[index] ?? ''
    const stage = { peerId, range: { first: 0, end: 2 }, kernels, memoryBytes: 0, computeMs: 1, hopMs: 0 }
    const plan = { stages: [stage], tokenMs: 1, bottleneckMs: 1, bytesToMove: 0 }
    const pool = { key: '', subcloud: undefined, adHoc: false, where: '', admits: () => true }
    return new Placement({ id: `p${index + 1}`, model, pool, purpose: 'default', plan, nowMs: 0 })
  })
  const left = [...placements]
  const session = new LastingSession(
    {
      ...components,
      hasRoute: () => true,
      onHandover: () => () => {},
      untilBroken: async () => {},
      lease: async () => {
        const placement = left.shift()
        if (placement === undefined) throw new MeshError('layers_missing', 'no node is left')
        return { placement, route: placement.route, [Symbol.dispose]: () => {} }
      }
    },
    {
      answer: ANSWER,
      limits: LIMITS,
      attemptsMax: 3,
      slotWaitMs: 1000,
      prefixNames: ({ placementId }) => [nameOf(placementId)]
    }
  )
  const tokens: number[] = []
  const reading = (async () => {
    await session.open()
    for (let told = await session.next(); told !== undefined; told = await session.next()) {
      if (told.type === 'sampled') tokens.push(told.token)
    }
    await session.close('it is complete')
  })()
  let over = false
  const ended = reading.finally(() => {
    over = true
  })
  await scheduler.run(() => over, 60_000)
  await ended
  return { ...session.reroutes, tokens }
}

function nameOf(placementId: string): string {
  return Buffer.from(placementId.padEnd(16)).toString('hex')
}

/** Opens sessions, and answers prompts with so many new tokens. */
const answering =
  (tokens: number, opens: OpenSession[]): StageScript =>
  stream => {
    let frames: Iterator<StageFrame> | undefined
    const sayNext = (): boolean => {
      const next = frames?.next()
      if (next === undefined || next.done === true) return false
      void stream.send(next.value)
      return true
    }
    return frame => {
      if (frame.type === 'open') {
        opens.push(frame)
        frames = answerTo(frame, tokens)
        sayNext()
      } else if (frame.type === 'prompt') while (sayNext());
      else if (frame.type === 'close') void stream.close()
    }
  }

t.test('an answer that goes on on nodes that compute otherwise is not called exact', async t => {
  const alike = await rerouted([
    { kernels: 'x', tokens: 1 },
    { kernels: 'x', tokens: TOKENS }
  ])
  t.same(alike, { count: 1, exact: true, tokens: [0, 1, 2] })
  const unlike = await rerouted([
    { kernels: 'x', tokens: 1 },
    { kernels: 'y', tokens: TOKENS }
  ])
  t.same(unlike, { count: 1, exact: false, tokens: [0, 1, 2] })
})

t.test('nodes that made no token of it do not count', async t => {
  const answer = await rerouted([
    { kernels: 'x', tokens: 0 },
    { kernels: 'y', tokens: 2 },
    { kernels: 'y', tokens: TOKENS }
  ])
  t.same(answer, { count: 2, exact: true, tokens: [0, 1, 2] })
})

t.test('a route that takes the place of another begins with nothing that was kept', async t => {
  const opens: OpenSession[] = []
  const nodes = [1, 1, TOKENS].map(tokens => ({ kernels: 'x', tokens }))
  t.match(await rerouted(nodes, opens), { count: 2, tokens: [0, 1, 2] })
  t.same(
    opens.map(({ epoch, prefix }) => ({ epoch, prefix })),
    [
      { epoch: 1, prefix: { blocks: [nameOf('p1')], afresh: false } },
      { epoch: 2, prefix: { blocks: [nameOf('p2')], afresh: true } },
      { epoch: 3, prefix: { blocks: [nameOf('p3')], afresh: true } }
    ]
  )
})
