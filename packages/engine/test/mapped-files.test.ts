import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type WeightFile, weightFiles } from '@resultity/interface'
import { memoryMappings, releaseFilePages } from '@resultity/runtime-tuning'
import t from 'tap'
import { createEngine } from '../src/index.ts'
import type { Stage } from '../src/port.ts'
import { openTinyChat } from './tiny-chat.ts'

async function logits(stage: Stage): Promise<Float32Array> {
  using session = stage.open({ positionsMax: 512 })
  return Float32Array.from(await session.run(Uint32Array.from({ length: 200 }, (_, index) => 8 + index)))
}

/** Lets go of what is in memory of the weight files, so that it is read from them again. */
async function forgetPages(folder: string): Promise<number> {
  const mapped = (await memoryMappings()).filter(({ path }) => path.startsWith(folder))
  releaseFilePages(mapped, new Set(mapped.map(({ path }) => path)))
  return mapped.length
}

t.test('a stage computes the same when its weight files are replaced or deleted', async t => {
  await using fixture = await openTinyChat({ ownWeights: true })
  await using stage = await (await createEngine()).loadStage(fixture.init({ first: 0, end: 4 }))
  const folder = dirname(fixture.weightPath(fixture.manifest.embedding))
  const expected = await logits(stage)
  const [first, ...others] = weightFiles(fixture.manifest).map(file => fixture.weightPath(file))
  if (first === undefined) throw new Error('tiny-chat has weight files')
  for (const path of others) {
    await copyFile(first, `${path}.new`)
    await rename(`${path}.new`, path)
  }
  if (process.platform === 'linux') t.ok((await forgetPages(folder)) > 0, 'they are mapped where they lie')
  t.strictSame(await logits(stage), expected, 'replaced')
  await rm(folder, { recursive: true })
  await forgetPages(folder)
  t.strictSame(await logits(stage), expected, 'deleted')
})

t.test('a weight file that is not as long as the manifest says is refused by its name', async t => {
  await using fixture = await openTinyChat()
  const { manifest } = fixture
  const other = fixture.weightPath(manifest.head)
  const weightPath = (file: WeightFile): string => (file === manifest.embedding ? other : fixture.weightPath(file))
  const loading = (await createEngine()).loadStage(fixture.init({ first: 0, end: 4 }, { weightPath }))
  await t.rejects(loading, {
    code: 'engine_failed',
    message: new RegExp(`${basename(other)} has \\d+ bytes, not \\d+`)
  })
})

t.test('weight files of several folders are brought into one', async t => {
  await using fixture = await openTinyChat()
  const { manifest, workDir } = fixture
  const elsewhere = join(workDir, '..', 'elsewhere')
  await mkdir(elsewhere)
  await copyFile(fixture.weightPath(manifest.embedding), join(elsewhere, 'embedding'))
  const weightPath = (file: WeightFile): string =>
    file === manifest.embedding ? join(elsewhere, 'embedding') : fixture.weightPath(file)
  const engine = await createEngine()
  await using plain = await engine.loadStage(fixture.init({ first: 0, end: 4 }))
  const mixed = await engine.loadStage(fixture.init({ first: 0, end: 4 }, { weightPath }))
  t.strictSame(await logits(mixed), await logits(plain))
  t.equal((await readdir(workDir)).length, 1)
  await mixed[Symbol.asyncDispose]()
  t.strictSame(await readdir(workDir), [], 'for as long as the stage lives')
})
