import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { requireDecoder, type WeightFile, weightFiles } from '@resultity/interface'
import { convertModel } from '@resultity/model'
import t from 'tap'
import { createEngine, type Stage, type StageInit, type StageSession } from '../src/index.ts'
import { outputOf, stepTogether, watchRuns } from './company.ts'
import { type FamilyModel, readFamilyModel, writeFamilyGguf, writeFolder } from './family-model.ts'

/** Shorter than the windows of 8 positions, as long, and longer: steps pass the edge while others are far from it. */
const PROMPT_LENGTHS = [1, 6, 8, 21, 30]
const STEPS = 5
const CONTEXT = 40
const SESSIONS = PROMPT_LENGTHS.length
/** The tests write no tokenizer: the ids of a prompt are given. */
const tokenizerFiles = { definition: new Uint8Array([1]), config: new Uint8Array([2]), endTokenIds: [1] }

/** Norms of heads; windows and soft caps; two rotary embeddings and windows in groups of layers; windows everywhere; experts. */
for (const name of [
  'qwen3',
  'gemma2',
  'gemma3',
  'mistral',
  'mixtral-wide',
  'qwen3-experts',
  'qwen3-experts-sparse',
  'qwen2-experts'
]) {
  t.test(`${name}: a session has the same bits in company and alone`, async t => {
    const model = await readFamilyModel(name)
    const directory = await mkdtemp(join(tmpdir(), 'families-'))
    t.teardown(() => rm(directory, { recursive: true, force: true }))
    await writeFolder(model, join(directory, 'folder'))
    const paths = [['f32', join(directory, 'folder')]]
    if (model.gguf !== undefined) {
      paths.push(['q8', await writeFamilyGguf(model, join(directory, 'quantized.gguf'), 'Q8_0')])
    }
    for (const [encoding, path = ''] of paths) {
      await t.test(`weights of ${encoding}`, async t => {
        const init = await converted(path, directory)
        const engine = await createEngine()
        const alone = await answers(await engine.loadStage(init), model, false)
        const together = await answers(await engine.loadStage(init), model, true)
        t.same(together.logits, alone.logits)
        t.equal(together.runs, 2 * STEPS, 'a run for the chunk they wait for, and one for all of them')
      })
    }
  })
}

interface Answers {
  /** Of every step of each session: `[session][step]`. */
  readonly logits: readonly Float32Array[][]
  /** How many runs the steps took. */
  readonly runs: number
}

/** What the sessions answer; the stage is closed then. */
async function answers(stage: Stage, model: FamilyModel, together: boolean): Promise<Answers> {
  await using _stage = stage
  using open = new DisposableStack()
  const tokens = model.prompts.flat()
  const busy = open.use(stage.open({ positionsMax: CONTEXT }))
  const sessions: StageSession[] = []
  for (const [index, length] of PROMPT_LENGTHS.entries()) {
    const session = open.use(stage.open({ positionsMax: CONTEXT }))
    await session.run(Uint32Array.from(tokens.slice(index, index + length)))
    sessions.push(session)
  }
  const logits: Float32Array[][] = sessions.map(() => [])
  using watch = watchRuns()
  for (let step = 0; step < STEPS; step++) {
    const steps = sessions.map((session, index) => {
      const input = Uint32Array.of(tokens[(7 * index + step) % tokens.length] ?? 0)
      return () => session.run(input)
    })
    if (together) {
      const results = await stepTogether(busy, stage, steps)
      for (const [index, result] of results.entries()) logits[index]?.push(outputOf(result))
    } else {
      for (const [index, run] of steps.entries()) logits[index]?.push(Float32Array.from(await run()))
    }
  }
  return { logits, runs: watch.count }
}

/** A stage of all layers of the model at `path`. */
async function converted(path: string, directory: string): Promise<StageInit> {
  await using store = await FileBlobStore.open(join(directory, 'blobs'))
  const { manifest } = await convertModel(path, { store, name: 'family', tokenizerFiles })
  const decoder = requireDecoder(manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(decoder)) paths.set(sha256, (await store.find(sha256)) ?? '')
  return {
    manifest: decoder,
    range: { first: 0, end: decoder.config.layerCount },
    contextLength: CONTEXT,
    sessionsMax: SESSIONS + 1,
    threads: 1,
    spinning: false,
    weightPath: (file: WeightFile) => paths.get(file.sha256) ?? '',
    workDir: directory
  }
}
