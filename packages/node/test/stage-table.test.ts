import { createEngine } from '@resultity/engine'
import { MeshError, type ModelManifest } from '@resultity/interface'
import t from 'tap'
import { StageTable, type WeightSource } from '../src/stage-table.ts'

/** Weights that come when the test says so, if at all. */
function heldSource() {
  const asked = Promise.withResolvers<void>()
  const manifest = Promise.withResolvers<ModelManifest>()
  const source: WeightSource = {
    hold: () => new DisposableStack(),
    manifest: () => {
      asked.resolve()
      return manifest.promise
    },
    files: () => Promise.reject(new MeshError('internal', 'no file is asked for before there is a manifest'))
  }
  return {
    source,
    asked: asked.promise,
    fail: (message: string) => manifest.reject(new MeshError('peer_unreachable', message))
  }
}

t.test('a load that fails leaves a later one of the same stage alone', async t => {
  const table = new StageTable(
    { engine: await createEngine() },
    { memoryBytes: 1, threads: 1, spinning: false, workDir: '', stagesMax: 1 }
  )
  const assignment = (placementId: string) => ({
    placementId,
    manifestSha256: 'ab'.repeat(32),
    range: { first: 0, end: 1 },
    contextLength: 16,
    sessionsMax: 1
  })
  const [former, later, third] = [heldSource(), heldSource(), heldSource()]
  const ignore = (): void => {}
  const first = t.rejects(table.assign(assignment('a'), former.source, ignore), { message: 'gone' })
  await former.asked
  const released = table.release('a')
  const second = t.rejects(table.assign(assignment('b'), later.source, ignore), { message: 'gone too' })
  former.fail('gone')
  await Promise.all([first, released, later.asked])
  // were the later load forgotten, this one would be loaded beside it, out of its own source
  const joined = t.rejects(table.assign(assignment('c'), third.source, ignore), { message: 'gone too' })
  later.fail('gone too')
  await Promise.all([second, joined])
})
