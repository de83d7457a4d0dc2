import { type FileContent, MeshError, type ModelManifest, recipeOf, weightFiles } from '@resultity/interface'
import { fileNames } from '@resultity/model'
import { placeable } from '@resultity/test-nodes'
import { pino } from 'pino'
import t from 'tap'
import { ContentLedger, type ContentLedgerComponents } from '../src/placement/content-ledger.ts'
import { oneForAll } from '../src/placement/node-pool.ts'
import { Placement, type StageReport } from '../src/placement/placement.ts'
import { report } from './support/director.ts'

const LAYERS = 3

/** A model whose weight files nodes make. */
function described() {
  const model = placeable(LAYERS)
  const { manifest } = model
  if (manifest.architecture !== 'llama') throw new Error('not a llama')
  const digest = { kind: 'sha256' as const, hex: 'aa'.repeat(32) }
  const recipe = {
    repository: 'org/model',
    commit: 'c0'.repeat(20),
    converter: 1,
    files: ['config.json', 'model.safetensors'].map(path => ({ path, bytes: 1, digest }))
  }
  const names = fileNames(recipe, LAYERS + 2)
  const named = <F extends { sha256: string }>(file: F, at: number): F => ({ ...file, sha256: names[at] ?? '' })
  const withRecipe: ModelManifest = {
    ...manifest,
    version: 2,
    recipe,
    embedding: named(manifest.embedding, 0),
    layers: manifest.layers.map((file, at) => named(file, at + 1)),
    head: named(manifest.head, LAYERS + 1)
  }
  return { ...model, manifest: withRecipe }
}

function setUp(components: Partial<ContentLedgerComponents> = {}) {
  const model = described()
  const placements: Placement[] = []
  const wrong: string[] = []
  const logger = pino({ level: 'silent' })
  const ledger = new ContentLedger(
    { logger, ...components },
    () => placements,
    (peerId, placementId, error) => wrong.push(`${peerId} ${placementId} ${error.code}`)
  )
  /** A placement of one stage on `peerId`, which reports what its files hold. */
  const reports = (peerId: string, contentOf: (at: number) => string, verified = true): StageReport => {
    const range = { first: 0, end: LAYERS }
    const stage = { peerId, range, memoryBytes: 1, computeMs: 1, hopMs: 0 }
    const plan = { stages: [stage], tokenMs: 1, bottleneckMs: 1, bytesToMove: 0, moves: [] }
    const id = `p${placements.length}`
    const placement = new Placement({ id, model, pool: oneForAll.general, purpose: 'default', plan, nowMs: 0 })
    placements.push(placement)
    const contents = weightFiles(model.manifest).map(({ sha256: file }, at) => ({
      file,
      sha256: contentOf(at),
      verified
    }))
    return ledger.admit(peerId, placement, { ...report('ready'), contents })
  }
  const known = (): FileContent[] => ledger.known(model, { range: { first: 0, end: LAYERS } })
  return { ledger, model, reports, known, wrong }
}

const right = (at: number): string => String(at).repeat(64)
const lie = (at: number): string => (at === 2 ? 'f'.repeat(64) : right(at))

t.test('the first that made a file is told of, and believed for good once another has made it too', async t => {
  const { reports, known } = setUp()
  t.strictSame(known(), [])
  t.equal(reports('a', right).state, 'ready')
  t.strictSame(
    known().map(({ sha256, verified }) => ({ sha256, verified })),
    [0, 1, 2, 3, 4].map(at => ({ sha256: right(at), verified: false }))
  )
  reports('a', right)
  reports('b', right, false)
  t.notOk(known()[0]?.verified, 'neither the same node again nor one that took it from a peer settles anything')
  reports('c', right)
  t.ok(known().every(({ verified }) => verified))
})

t.test('a node that comes second with other bytes is refused, with the layer and the node in the error', async t => {
  const { reports, known, ledger, wrong } = setUp({ judge: async (_, index) => right(index) })
  reports('a', right)
  const answer = reports('liar', lie)
  t.equal(answer.state, 'failed')
  t.match(answer.error, { code: 'hash_mismatch', message: /^layer 1 of specimen .* on liar/ })
  await ledger.idle()
  t.match(known()[2], { sha256: right(2), verified: true }, 'it was made here, and is settled')
  t.strictSame(wrong, ['liar p1 hash_mismatch'])
  t.equal(reports('liar', lie).state, 'failed')
  t.equal(reports('liar', right).state, 'ready', 'it may come back with the right ones')
})

t.test('a liar who came first loses its stages once somebody honest has made the same layer', async t => {
  const judged: number[] = []
  const judge = async (_: ModelManifest, index: number): Promise<string> => {
    judged.push(index)
    return right(index)
  }
  const { reports, known, ledger, wrong } = setUp({ judge })
  t.equal(reports('liar', lie).state, 'ready')
  t.equal(reports('accomplice', lie).state, 'ready')
  t.ok(known()[2]?.verified, 'two of them are believed for a while')
  t.equal(reports('honest', right).state, 'failed', 'until it is known who is right')
  t.equal(reports('other', right).state, 'failed')
  await ledger.idle()
  t.strictSame(judged, [2], 'one layer is made here, once')
  t.strictSame(wrong, ['liar p0 hash_mismatch', 'accomplice p1 hash_mismatch'])
  t.equal(reports('honest', right).state, 'ready')
})

t.test('without a judge the first is believed, and a node may correct itself', async t => {
  const broken = async (): Promise<string> => {
    throw new MeshError('model_unavailable', 'no network')
  }
  for (const judge of [undefined, broken]) {
    const { reports, known, ledger } = setUp({ judge })
    reports('a', lie)
    t.equal(reports('a', right).state, 'ready')
    t.equal(reports('b', lie).state, 'failed')
    await ledger.idle()
    t.equal(known()[2]?.sha256, right(2))
  }
})

t.test('what is known is kept over a restart, and what is reported of other files is passed over', async t => {
  const noted = new Map<string, FileContent>()
  const records = {
    find: (file: string) => noted.get(file),
    note: async (contents: readonly FileContent[]) => {
      for (const content of contents) noted.set(content.file, content)
    }
  }
  const before = setUp({ records })
  before.reports('a', lie)
  before.reports('a', right)
  t.strictSame(setUp({ records }).known(), before.known(), 'a node has corrected itself')
  before.reports('b', right)
  const { ledger, known, model, reports } = setUp({ records })
  t.strictSame(known(), before.known())
  t.equal(reports('liar', lie).state, 'failed')
  const foreign = { ...report('ready'), contents: [{ file: '9'.repeat(64), sha256: right(0), verified: true }] }
  t.equal(ledger.admit('x', undefined, foreign), foreign)
  t.equal(noted.has('9'.repeat(64)), false)
  const whole = { ...model, manifest: placeable(LAYERS).manifest }
  t.strictSame(ledger.known(whole, { range: { first: 0, end: LAYERS } }), [], 'other models have nothing to be known')
  t.ok(recipeOf(model.manifest))
})
