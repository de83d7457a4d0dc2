import { MeshError } from '@resultity/interface'
import { Placement } from '@resultity/placement'
import { placeable } from '@resultity/test-nodes'
import type { HeldPositions, OpenSession, StageFrame } from '@resultity/wire'
import t from 'tap'
import { LastingSession } from '../src/lasting-session.ts'
import { ANSWER, LIMITS, type StageScript, stagesByScript } from './support/stages-by-script.ts'

const { prompt, tokensMax } = ANSWER

/** Two tokens stand: the step behind this position gives the second of them. */
const LIMIT = prompt.length

/** What the last stage does when the prompt comes, by epoch. */
type LastStage = (open: OpenSession) => readonly StageFrame[] | 'ends'

function sampled({ session, epoch }: OpenSession, at: number): StageFrame {
  const finish = at === tokensMax - 1 ? 'tokens_max' : 'continues'
  return { type: 'sampled', session, epoch, position: prompt.length + at, token: at, finish, logprob: 0, top: [] }
}

function goesOn(open: OpenSession): readonly StageFrame[] {
  const { session, epoch, committed = [] } = open
  const position = prompt.length + committed.length - 1
  return [{ type: 'replayed', session, epoch, position, exact: true }, sampled(open, committed.length)]
}

/** An answer on a first stage that stays and last stages that do what they are to, one after the other. */
async function answered(held: HeldPositions | undefined, lasts: readonly LastStage[]) {
  const told: { readonly epoch: number; readonly stage: number; readonly frame: StageFrame }[] = []
  const prompted = new Map<number, () => void>()
  const stage = (index: number, has: HeldPositions | undefined): StageScript => {
    return (stream, host) => {
      let open: OpenSession | undefined
      const answer = (one: OpenSession): void => {
        const frames = lasts[one.epoch - 1]?.(one) ?? []
        if (frames === 'ends') stream.abort(new MeshError('canceled', 'it was killed'))
        else for (const said of frames) void stream.send(said)
      }
      return frame => {
        if (frame.type === 'open') {
          const { session, epoch, keepPositions = 0 } = frame
          open = frame
          const resumes = keepPositions > 0 && has !== undefined ? { resumes: has } : {}
          void stream.send({ type: 'opened', session, epoch, ...resumes })
          if (index > 0) prompted.set(epoch, () => host.scheduler.setTimeout(() => answer(frame), 10))
        } else if (frame.type === 'prompt') prompted.get(open?.epoch ?? 0)?.()
        if (frame.type === 'close') void stream.close()
        told.push({ epoch: open?.epoch ?? 0, stage: index, frame })
      }
    }
  }
  const fresh = { held: 0, loggedFrom: 0 }
  const { scheduler, peerIds, components } = await stagesByScript([stage(0, held), ...lasts.map(() => stage(1, fresh))])
  const model = placeable(2)
  const pool = { key: '', subcloud: undefined, adHoc: false, where: '', admits: () => true }
  const placements = lasts.map((_, index) => {
    const stages = [peerIds[0], peerIds[index + 1]].map((peerId = '', at) => {
      return { peerId, range: { first: at, end: at + 1 }, kernels: 'x', memoryBytes: 0, computeMs: 1, hopMs: 0 }
    })
    const plan = { stages, tokenMs: 1, bottleneckMs: 1, bytesToMove: 0 }
    return new Placement({ id: `p${index + 1}`, model, pool, purpose: 'default', plan, nowMs: 0 })
  })
  const left = [...placements]
  const lasting = {
    ...components,
    hasRoute: () => true,
    onHandover: () => () => {},
    untilBroken: async () => {},
    lease: async () => {
      const placement = left.shift()
      if (placement === undefined) throw new MeshError('layers_missing', 'no node is left')
      return { placement, route: placement.route, [Symbol.dispose]: () => {} }
    }
  }
  const session = new LastingSession(lasting, { answer: ANSWER, limits: LIMITS, attemptsMax: 3, slotWaitMs: 1000 })
  const tokens: number[] = []
  let over = false
  const reading = (async () => {
    await session.open()
    for (let told = await session.next(); told !== undefined; told = await session.next()) {
      if (told.type === 'sampled') tokens.push(told.token)
    }
    await session.close('it is complete')
  })().finally(() => {
    over = true
  })
  await scheduler.run(() => over, 600_000)
  await reading
  const of = (epoch: number, type: StageFrame['type'], at = 0): readonly StageFrame[] =>
    told.filter(one => one.epoch === epoch && one.stage === at && one.frame.type === type).map(({ frame }) => frame)
  return { tokens, reroutes: session.reroutes, of }
}

/** Two tokens, and it is killed. */
const dies: LastStage = open => [sampled(open, 0), sampled(open, 1), lossOf(open)]

function lossOf({ session, epoch }: OpenSession): StageFrame {
  return { type: 'fault', session, epoch, error: new MeshError('unavailable', 'the node is shutting down') }
}

t.test('the stage that stays is parked, opened with what it may keep, and told where to go on', async t => {
  const { tokens, reroutes, of } = await answered({ held: LIMIT, loggedFrom: 0 }, [dies, goesOn])
  t.same([tokens, reroutes], [[0, 1, 2], { count: 1, exact: true }])
  t.match(of(1, 'open'), [{ parks: true }])
  t.match(of(1, 'close'), [{ park: true }])
  t.match(of(2, 'open'), [{ keepPositions: LIMIT, committed: [0, 1] }])
  t.match(of(2, 'resume'), [{ begin: LIMIT, sendFrom: 0 }])
  t.match(of(2, 'resume', 1), [{ begin: 0 }])
  const [end] = of(2, 'close')
  t.equal(end?.type === 'close' && end.park, undefined, 'when all is well it is not')
})

t.test('one of an earlier version is told nothing, and the others that they begin with nothing', async t => {
  const { tokens, of } = await answered(undefined, [dies, goesOn])
  t.same(tokens, [0, 1, 2])
  t.same(of(2, 'resume'), [])
  t.match(of(2, 'resume', 1), [{ begin: 0, sendFrom: 0 }])
})

t.test('where somebody had not what it said, the answer goes on without it', async t => {
  const violation: LastStage = ({ session, epoch }) => {
    return [{ type: 'fault', session, epoch, error: new MeshError('protocol_violation', 'position 7 came') }]
  }
  const silent: LastStage = () => []
  for (const wrong of [violation, silent]) {
    const { tokens, reroutes, of } = await answered({ held: LIMIT, loggedFrom: 0 }, [dies, wrong, goesOn])
    t.same([tokens, reroutes.count], [[0, 1, 2], 2])
    t.match(of(2, 'close'), [{ park: undefined }], 'it is not parked once more')
    const [third] = of(3, 'open')
    t.equal(third?.type === 'open' && third.keepPositions, undefined)
    t.same(of(3, 'resume'), [])
  }
  const beyond = await answered({ held: LIMIT + 1, loggedFrom: 0 }, [dies, goesOn, goesOn])
  t.same([beyond.tokens, beyond.reroutes.count], [[0, 1, 2], 1], 'nor where it says more than can be')
  t.same(beyond.of(3, 'resume'), [])
})
