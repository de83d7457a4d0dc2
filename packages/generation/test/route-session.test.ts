import { MeshError } from '@resultity/interface'
import type { OpenSession, StageFrame } from '@resultity/wire'
import t from 'tap'
import { RouteSession } from '../src/route-session.ts'
import type { RouteSessionInit } from '../src/route-session-init.ts'
import { ANSWER, LIMITS, type StageScript, stagesByScript } from './support/stages-by-script.ts'

/** Says so long after it was asked to open what it says. */
type Script = readonly (readonly [afterMs: number, say: (open: OpenSession) => StageFrame])[]

const opened = ({ session, epoch }: OpenSession): StageFrame => ({ type: 'opened', session, epoch })
const neighbourLost = ({ session, epoch }: OpenSession): StageFrame => {
  return { type: 'fault', session, epoch, error: new MeshError('node_lost', 'the previous stage went away') }
}

const following =
  (script: Script, heard: StageFrame[]): StageScript =>
  (stream, { scheduler }) =>
  frame => {
    if (frame.type !== 'probe') heard.push(frame)
    if (frame.type === 'close') void stream.close()
    if (frame.type !== 'open') return
    for (const [ms, say] of script) scheduler.setTimeout(() => void stream.send(say(frame)), ms)
  }

/** A route over stages that follow scripts, and what each of them hears. */
async function routeOf(scripts: readonly Script[], fields: Partial<RouteSessionInit> = {}) {
  const heard: StageFrame[][] = scripts.map(() => [])
  const { scheduler, peerIds, components } = await stagesByScript(
    scripts.map((script, index) => following(script, heard[index] ?? []))
  )
  const stages = peerIds.map((peerId, index) => ({ peerId, range: { first: index, end: index + 1 } }))
  const route = { placementId: 'p1', stages }
  const init = { ...ANSWER, route, session: new Uint8Array(16), epoch: 1, committed: [], ...fields }
  return { scheduler, opening: RouteSession.open(components, LIMITS, init), heard }
}

t.test('a route opens when all of its stages have', async t => {
  const { scheduler, opening } = await routeOf([[[100, opened]], [[3000, opened]]])
  let session: RouteSession | undefined
  void opening.then(open => {
    session = open
  })
  await scheduler.run(() => session !== undefined, 10_000)
  t.ok(scheduler.elapsedMs > 3000 && scheduler.elapsedMs < 3100)
  const ending = session?.close('enough')
  await scheduler.run(() => false, 5000)
  await ending
})

t.test('a stage that loses its neighbour while another opens ends the opening at once, for the next route', async t => {
  const scripts: Record<string, Script[]> = {
    'before the other has opened': [
      [[500, opened]],
      [
        [100, opened],
        [400, neighbourLost]
      ]
    ],
    'with the word that makes it complete': [
      [[100, opened]],
      [
        [400, opened],
        [400, neighbourLost]
      ]
    ]
  }
  for (const [name, script] of Object.entries(scripts)) {
    const { scheduler, opening } = await routeOf(script)
    let failed: unknown
    const trying = opening
      .then(session => session.next())
      .catch((error: unknown) => {
        failed = error
      })
    await scheduler.run(() => failed !== undefined, 60_000)
    await trying
    t.match(failed, { code: 'node_lost', message: /the previous stage went away/ }, name)
    t.ok(scheduler.elapsedMs < 3000, `${name}: after ${scheduler.elapsedMs} ms`)
  }
})

t.test('the prompt begins behind what all stages have kept, and they may keep what went well', async t => {
  const prompt = Array.from({ length: 30 }, (_, index) => index)
  const prefix = { blocks: ['00'.repeat(16), '11'.repeat(16)], afresh: false }
  const keeping =
    (kept: number) =>
    (open: OpenSession): StageFrame =>
      ({ ...opened(open), kept }) as StageFrame
  const fault = ({ session, epoch }: OpenSession): StageFrame => {
    return { type: 'fault', session, epoch, error: new MeshError('engine_failed', 'it broke') }
  }
  const ends: Record<string, { readonly last: Script; readonly fail?: MeshError; readonly keep: boolean | undefined }> =
    {
      'it is complete': { last: [], keep: true },
      'the client hung up': { last: [], fail: new MeshError('canceled', 'the client hung up'), keep: true },
      'it took too long': { last: [], fail: new MeshError('deadline_exceeded', 'too long'), keep: undefined },
      'a stage failed': { last: [[200, fault]], keep: undefined }
    }
  for (const [name, { last, fail, keep }] of Object.entries(ends)) {
    const scripts: Script[] = [[[10, keeping(16)]], [[20, keeping(8)], ...last]]
    const { scheduler, opening, heard } = await routeOf(scripts, { prompt, prefix })
    let session: RouteSession | undefined
    void opening.then(open => {
      session = open
    })
    await scheduler.run(() => session !== undefined, 10_000)
    t.equal(session?.kept, 8)
    await scheduler.run(() => false, 1000)
    if (fail !== undefined) session?.fail(fail)
    const ending = session?.close(name)
    await scheduler.run(() => false, 5000)
    await ending
    t.match(heard[0], [{ type: 'open', prefix }, { type: 'prompt', kept: 8 }, { type: 'close' }], name)
    t.match(heard[1], [{ type: 'open', prefix }, { type: 'close' }])
    t.same(
      heard.map(frames => frames.flatMap(frame => (frame.type === 'close' ? [frame.keep] : []))),
      [[keep], [keep]]
    )
  }
})
