import { MeshError } from '@resultity/interface'
import type { OpenSession, StageFrame } from '@resultity/wire'
import t from 'tap'
import { RouteSession } from '../src/route-session.ts'
import { ANSWER, LIMITS, type StageScript, stagesByScript } from './support/stages-by-script.ts'

/** Says so long after it was asked to open what it says. */
type Script = readonly (readonly [afterMs: number, say: (open: OpenSession) => StageFrame])[]

const opened = ({ session, epoch }: OpenSession): StageFrame => ({ type: 'opened', session, epoch })
const neighbourLost = ({ session, epoch }: OpenSession): StageFrame => {
  return { type: 'fault', session, epoch, error: new MeshError('node_lost', 'the previous stage went away') }
}

const following =
  (script: Script): StageScript =>
  (stream, { scheduler }) =>
  frame => {
    if (frame.type !== 'open') return
    for (const [ms, say] of script) scheduler.setTimeout(() => void stream.send(say(frame)), ms)
  }

/** A route over stages that follow scripts. */
async function routeOf(scripts: readonly Script[]) {
  const { scheduler, peerIds, components } = await stagesByScript(scripts.map(following))
  const stages = peerIds.map((peerId, index) => ({ peerId, range: { first: index, end: index + 1 } }))
  const route = { placementId: 'p1', stages }
  const init = { ...ANSWER, route, session: new Uint8Array(16), epoch: 1, committed: [] }
  return { scheduler, opening: RouteSession.open(components, LIMITS, init) }
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
