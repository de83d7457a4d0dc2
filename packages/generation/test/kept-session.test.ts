import { MeshError } from '@resultity/interface'
import { Placement } from '@resultity/placement'
import { placeable } from '@resultity/test-nodes'
import type { OpenSession, StageFrame } from '@resultity/wire'
import t from 'tap'
import { LastingSession } from '../src/lasting-session.ts'
import { AnswerProgress } from '../src/progress/answer-progress.ts'
import { KeptSession, resumedInit } from '../src/progress/kept-session.ts'
import { ANSWER, LIMITS, type StageScript, stagesByScript } from './support/stages-by-script.ts'

const { prompt: PROMPT } = ANSWER
const OF = 'what it answers'
/** As many as an answer has; the last one ends it. */
const TOKENS = 6

interface NodeInit {
  readonly kernels: string
  /** It stops after so many new tokens. */
  readonly tokens: number
  /** The last committed token comes out the same. Default true. */
  readonly exact?: boolean
}

/** What one attempt did. */
interface Attempt {
  readonly tokens: readonly number[]
  readonly opened: readonly Pick<OpenSession, 'epoch' | 'committed' | 'prefillChunk' | 'prefix'>[]
  readonly reroutes: { readonly count: number; readonly exact: boolean }
  readonly resumed: number
  /** Leases of answers that had begun. */
  readonly resumes: readonly boolean[]
  readonly placementId: string
  readonly error: string | undefined
}

function* answerTo({ session, epoch, committed = [] }: OpenSession, node: NodeInit): Generator<StageFrame> {
  yield { type: 'opened', session, epoch }
  const standing = committed.length
  const { exact = true } = node
  if (standing > 0) yield { type: 'replayed', session, epoch, position: PROMPT.length + standing - 1, exact }
  for (let at = standing; at < Math.min(TOKENS, standing + node.tokens); at++) {
    const finish = at === TOKENS - 1 ? 'tokens_max' : 'continues'
    yield { type: 'sampled', session, epoch, position: PROMPT.length + at, token: at, finish, logprob: 0, top: [] }
  }
  if (standing + node.tokens >= TOKENS) return
  yield { type: 'fault', session, epoch, error: new MeshError('unavailable', 'the node is shutting down') }
}

function answering(node: NodeInit, opens: OpenSession[]): StageScript {
  return stream => {
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
        frames = answerTo(frame, node)
        sayNext()
      } else if (frame.type === 'prompt') while (sayNext());
      else if (frame.type === 'close') void stream.close()
    }
  }
}

/** One attempt after those that wrote `entries`, to which it adds what it keeps. It ends where it has no node left. */
async function attempt(nodes: readonly NodeInit[], entries: unknown[], prefillChunk = 8): Promise<Attempt> {
  const opens: OpenSession[] = []
  // one that was there before is like itself
  const others = entries.map(() => ({ kernels: '', tokens: 0 }))
  const scripts = [...others, ...nodes].map(node => answering(node, opens))
  const { scheduler, peerIds, components } = await stagesByScript(scripts)
  const left = nodes.map(({ kernels }, index) => placed(peerIds[others.length + index] ?? '', kernels, entries.length))
  const resumes: boolean[] = []
  const progress = new AnswerProgress({ index: 0, entries, bytesMax: 1 << 20 })
  const earlier = progress.start(OF)
  const answer = { ...ANSWER, tokensMax: TOKENS, prefillChunk }
  const own = { answer, prefixNames: () => ['00'.repeat(16)] }
  const inner = new LastingSession(
    {
      ...components,
      hasRoute: () => true,
      onHandover: () => () => {},
      untilBroken: async () => {},
      lease: async options => {
        resumes.push(options.resumes)
        const placement = left.shift()
        if (placement === undefined) throw new MeshError('layers_missing', 'no node is left')
        return { placement, route: placement.route, [Symbol.dispose]: () => {} }
      }
    },
    {
      ...(earlier === undefined ? own : resumedInit(answer, earlier)),
      limits: LIMITS,
      attemptsMax: 3,
      slotWaitMs: 1000
    }
  )
  const session = new KeptSession(inner, { progress, earlier, prefillChunk, scheduler: components.scheduler })
  const tokens: number[] = []
  let error: string | undefined
  const reading = (async () => {
    await session.open()
    for (let told = await session.next(); told !== undefined; told = await session.next()) {
      if (told.type === 'sampled') tokens.push(told.token)
      if (told.type === 'sampled' && told.finish !== 'continues') break
    }
  })().catch((cause: unknown) => {
    error = MeshError.from(cause).code
  })
  let over = false
  const ended = reading
    .then(() => session.close('it is over'))
    .finally(() => {
      over = true
    })
  await scheduler.run(() => over, 120_000)
  await ended
  const entry = progress.take()
  if (entry !== undefined) entries.push(JSON.parse(JSON.stringify(entry)))
  const opened = opens.map(({ epoch, committed, prefillChunk: chunk, prefix }) => ({
    ...{ epoch, prefillChunk: chunk },
    ...(committed === undefined ? {} : { committed }),
    ...(prefix === undefined ? {} : { prefix })
  }))
  const { reroutes, resumed } = session
  return { tokens, opened, reroutes, resumed, resumes, error, placementId: session.route.placementId }
}

function placed(peerId: string, kernels: string, number: number): Placement {
  const stage = { peerId, range: { first: 0, end: 2 }, kernels, memoryBytes: 0, computeMs: 1, hopMs: 0 }
  const plan = { stages: [stage], tokenMs: 1, bottleneckMs: 1, bytesToMove: 0 }
  const pool = { key: '', subcloud: undefined, adHoc: false, where: '', admits: () => true }
  return new Placement({ id: `p${number}`, model: placeable(2), pool, purpose: 'default', plan, nowMs: 0 })
}

const all = [0, 1, 2, 3, 4, 5]

t.test('an attempt goes on where the one before ended, and tells all of it', async t => {
  const entries: unknown[] = []
  const first = await attempt([{ kernels: 'x', tokens: 2 }], entries)
  t.match(first, { tokens: [0, 1], resumed: 0, resumes: [false, true], error: 'node_lost' })
  const second = await attempt([{ kernels: 'x', tokens: 2 }], entries, 16)
  t.strictSame(second.tokens, [0, 1, 2, 3])
  t.strictSame(second.opened, [{ epoch: 1, prefillChunk: 8, committed: [0, 1] }], 'in the steps that the prompt had')
  t.match(second, { resumed: 2, resumes: [true, true], reroutes: { count: 1, exact: true } })
  const third = await attempt([{ kernels: 'x', tokens: TOKENS }], entries)
  t.strictSame(third.tokens, all)
  t.match(third, { resumed: 4, opened: [{ committed: [0, 1, 2, 3] }], reroutes: { count: 2 }, error: undefined })
})

t.test('an answer that was whole needs no route any more', async t => {
  const entries: unknown[] = []
  const first = await attempt([{ kernels: 'x', tokens: TOKENS }], entries)
  const second = await attempt([], entries)
  t.match(second, { tokens: all, opened: [], resumed: TOKENS, reroutes: { count: 0, exact: true }, error: undefined })
  t.equal(second.placementId, first.placementId, 'it names the one that made it')
})

t.test('it goes on where kernels differ, and says so from then on', async t => {
  const entries: unknown[] = []
  await attempt([{ kernels: 'x', tokens: 2 }], entries)
  const second = await attempt([{ kernels: 'y', tokens: 1 }], entries)
  t.match(second, { tokens: [0, 1, 2], reroutes: { count: 1, exact: false } })
  const third = await attempt([{ kernels: 'x', tokens: TOKENS }], entries)
  t.match(third, { tokens: all, reroutes: { count: 2, exact: false }, error: undefined })
})

t.test('and where the last token comes out otherwise', async t => {
  const entries: unknown[] = []
  await attempt([{ kernels: 'x', tokens: 2 }], entries)
  const second = await attempt([{ kernels: 'x', tokens: TOKENS, exact: false }], entries)
  t.match(second, { tokens: all, reroutes: { count: 1, exact: false }, error: undefined })
})

t.test('without a node it ends as one that has begun, and nothing is kept twice', async t => {
  const entries: unknown[] = []
  await attempt([{ kernels: 'x', tokens: 2 }], entries)
  const second = await attempt([], entries)
  t.match(second, { tokens: [0, 1], resumes: [true], error: 'layers_missing' })
  t.equal(entries.length, 1)
})
