import t from 'tap'
import { LOOKS_PER_ANSWER, type SilenceStep, SilenceWatch } from '../src/silence-watch.ts'

const ANSWER_MS = 400
const LOOK_MS = ANSWER_MS / LOOKS_PER_ANSWER

/** A watch over two stages, looked at as time passes. */
function watching(stageCount = 2, tellWithinMs = 0) {
  let now = 0
  const watch = new SilenceWatch({ stageCount, answerMs: ANSWER_MS, tellWithinMs }, now)
  watch.begin(now)
  return {
    heard: () => watch.heard(now),
    answered: (stageIndex: number, nonce: number) => watch.answered(stageIndex, nonce, now),
    waitOn: () => watch.waitOn(now),
    linkReported: (from: number, to: number) => watch.linkReported(from, to, now),
    waitOnLink: () => watch.waitOnLink(now),
    /** @returns what it said, and when */
    pass(ms: number): [number, SilenceStep][] {
      const steps: [number, SilenceStep][] = []
      for (const end = now + ms; now < end; ) {
        now += LOOK_MS
        const step = watch.look(now)
        if (step !== undefined) steps.push([now, step])
      }
      return steps
    },
    /** Nothing runs here, so nobody looks. */
    stall(ms: number): void {
      now += ms
    }
  }
}

const said = (steps: readonly [number, SilenceStep][]): SilenceStep[] => steps.map(([, step]) => step)

t.test('silence of half an answer is suspect; who does not answer is gone', async t => {
  const { answered, pass } = watching()
  t.same(pass(200), [[200, { type: 'probe', nonce: 1 }]])
  answered(0, 1)
  answered(1, 9)
  t.same(pass(300), [], 'an answer has its time')
  t.same(pass(100), [[600, { type: 'gone', stages: [1] }]], 'an answer to another probe is none')
})

t.test('tokens that are slow are waited for as long as four of them take, and as late as they may be told', async t => {
  const { heard, pass } = watching(2, 100)
  for (let token = 0; token < 20; token++) {
    heard()
    t.same(pass(200), [])
  }
  t.same(pass(600), [], 'four intervals, of which one is over')
  t.match(said(pass(100)), [{ type: 'probe' }])
})

t.test('nodes that answer are asked again later each time, and at once after a token', async t => {
  const { answered, heard, pass } = watching()
  const askedAt: number[] = []
  for (let ms = 0; ms < 25_000; ms += LOOK_MS) {
    for (const [at, step] of pass(LOOK_MS)) {
      askedAt.push(at)
      if (step.type === 'probe') for (const stage of [0, 1]) answered(stage, step.nonce)
    }
  }
  t.same(askedAt.slice(0, 5), [200, 600, 1400, 3000, 6200], 'up to every five seconds')
  t.same(askedAt.slice(5), [11_200, 16_200, 21_200])
  heard()
  t.match(said(pass(200)), [{ type: 'probe' }])
})

t.test('a token is an answer of all', async t => {
  const { heard, pass } = watching()
  t.equal(pass(200).length, 1)
  heard()
  t.match(said(pass(200)), [{ type: 'probe', nonce: 2 }])
})

t.test('time in which this process did not run is not taken from the answer', async t => {
  const { answered, pass, stall } = watching()
  t.equal(pass(200).length, 1)
  stall(5000)
  t.same(pass(100), [], 'what came meanwhile is still in the socket')
  for (const stage of [0, 1]) answered(stage, 1)
  t.same(pass(400), [[5700, { type: 'probe', nonce: 2 }]], 'they had answered')
})

t.test('where none of several answers it is rather this side', async t => {
  const { pass } = watching()
  t.match(said(pass(600)), [{ type: 'probe' }])
  const alone = watching(1)
  t.match(said(alone.pass(600)), [{ type: 'probe' }, { type: 'gone', stages: [0] }])
})

t.test('who cannot be done without is waited for', async t => {
  const { waitOn, pass } = watching(1)
  t.equal(pass(600).at(-1)?.[1].type, 'gone')
  waitOn()
  t.same(pass(300), [])
  t.match(said(pass(100)), [{ type: 'probe', nonce: 2 }])
})

t.test('a link is silent when both of its nodes answered, and it is reported twice after that', async t => {
  const { answered, linkReported } = watching(3)
  t.same(linkReported(0, 1), { type: 'probe', nonce: 1 }, 'they are asked')
  for (let report = 0; report < 5; report++) t.equal(linkReported(0, 1), undefined)
  answered(0, 1)
  answered(2, 1)
  t.equal(linkReported(0, 1), undefined, 'the node that is not heard has not answered')
  answered(1, 1)
  t.equal(linkReported(0, 1), undefined, 'what was held up may show yet')
  t.same(linkReported(0, 1), { type: 'link', from: 0, to: 1 })
})

t.test('a token clears a link, and so does a node that is gone explain it', async t => {
  const { answered, heard, linkReported, pass } = watching(3)
  t.match(linkReported(0, 1), { type: 'probe', nonce: 1 })
  for (const stage of [0, 1]) answered(stage, 1)
  t.equal(linkReported(0, 1), undefined)
  heard()
  t.match(linkReported(0, 1), { type: 'probe', nonce: 2 }, 'from the beginning')
  for (const stage of [0, 2]) answered(stage, 2)
  t.match(said(pass(400)), [{ type: 'gone', stages: [1] }])
})

t.test('two links are told apart, and one that cannot be done without is left alone for a while', async t => {
  const { answered, linkReported, waitOnLink, pass } = watching(2)
  t.match(linkReported(0, 1), { type: 'probe', nonce: 1 })
  t.equal(linkReported(1, 0), undefined, 'they are asked already')
  for (const stage of [0, 1]) answered(stage, 1)
  t.equal(linkReported(0, 1), undefined)
  t.equal(linkReported(1, 0), undefined)
  t.match(linkReported(1, 0), { type: 'link', from: 1, to: 0 })
  waitOnLink()
  t.equal(linkReported(0, 1), undefined)
  pass(5000)
  t.match(linkReported(0, 1), { type: 'probe' })
})

t.test(
  'a report does not give a node that hangs more time; and one that comes before the route is open asks again',
  async t => {
    const { linkReported, pass } = watching(3)
    t.match(said(pass(200)), [{ type: 'probe' }])
    for (let ms = 0; ms < 300; ms += LOOK_MS) {
      pass(LOOK_MS)
      t.equal(linkReported(0, 1), undefined)
    }
    const opening = new SilenceWatch({ stageCount: 2, answerMs: ANSWER_MS, tellWithinMs: 0 }, 0)
    t.match(opening.linkReported(0, 1, 0), { type: 'probe', nonce: 1 })
    t.match(opening.linkReported(0, 1, 0), { type: 'probe', nonce: 2 }, 'the control stream of one may stand only now')
    for (const stage of [0, 1]) opening.answered(stage, 2, 0)
    t.equal(opening.linkReported(0, 1, 0), undefined)
    t.match(opening.linkReported(0, 1, 0), { type: 'link' })
  }
)

t.test('nodes that answer more slowly than a link is reported have answered all the same', t => {
  const opening = new SilenceWatch({ stageCount: 2, answerMs: ANSWER_MS, tellWithinMs: 0 }, 0)
  for (let nonce = 1; nonce <= 3; nonce++) t.match(opening.linkReported(0, 1, 0), { type: 'probe', nonce })
  opening.answered(0, 1, 0)
  opening.answered(1, 9, 0)
  t.match(opening.linkReported(0, 1, 0), { type: 'probe' }, 'what was not asked cannot be answered')
  opening.answered(1, 1, 0)
  t.equal(opening.linkReported(0, 1, 0), undefined)
  t.match(opening.linkReported(0, 1, 0), { type: 'link' })
  t.end()
})

t.test('an answer that comes late says nothing of a later probe, nor of a link that was reported after it', async t => {
  const { answered, heard, linkReported, pass } = watching(2)
  t.match(said(pass(200)), [{ type: 'probe', nonce: 1 }])
  heard()
  t.match(linkReported(0, 1), { type: 'probe', nonce: 2 })
  for (const stage of [0, 1]) answered(stage, 1)
  t.equal(linkReported(0, 1), undefined)
  t.equal(linkReported(0, 1), undefined, 'neither has answered since')
  answered(0, 2)
  t.match(said(pass(400)), [{ type: 'gone', stages: [1] }])
})
