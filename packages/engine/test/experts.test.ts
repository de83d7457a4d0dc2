import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { type DecoderManifest, requireDecoder, type WeightFile, weightFiles } from '@resultity/interface'
import { convertModel } from '@resultity/model'
import t, { type Test } from 'tap'
import { createEngine, type EngineKind, type Stage, type StageInit, type StageSession } from '../src/index.ts'
import { outputOf, stepTogether } from './company.ts'
import { cosineOf } from './cosine.ts'
import { type FamilyModel, readFamilyModel, writeFamilyGguf, writeFolder } from './family-model.ts'

const CONTEXT = 16
/** The tests write no tokenizer: the ids of a prompt are given. */
const tokenizerFiles = { definition: new Uint8Array([1]), config: new Uint8Array([2]), endTokenIds: [1] }

async function newDirectory(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'experts-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** The model at `path`, and how to load a stage of it. */
async function converted(path: string, directory: string) {
  await using store = await FileBlobStore.open(join(directory, 'blobs'))
  const { manifest: found } = await convertModel(path, { store, name: 'experts', tokenizerFiles })
  const manifest = requireDecoder(found)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const init = (first: number, changes: Partial<StageInit> = {}): StageInit => ({
    manifest,
    range: { first, end: manifest.config.layerCount },
    contextLength: CONTEXT,
    sessionsMax: 1,
    threads: 1,
    spinning: false,
    weightPath: (file: WeightFile) => paths.get(file.sha256) ?? '',
    workDir: directory,
    ...changes
  })
  return { manifest, init }
}

function hashesOf(manifest: DecoderManifest): string[] {
  return weightFiles(manifest).map(({ sha256 }) => sha256)
}

/** Logits behind a short prompt. */
async function answerOf(init: StageInit, kind: EngineKind = 'capi'): Promise<Float32Array> {
  await using stage = await (await createEngine(kind)).loadStage(init)
  using session = stage.open({ positionsMax: CONTEXT })
  return Float32Array.from(await session.run(Uint32Array.of(3, 50, 7, 21, 90)))
}

/** How files have the experts, and what else the same weights are called. */
const otherNames = [
  {
    id: 'a Mixtral whose experts transformers 5 stacks',
    model: 'mixtral',
    nameOf: (name: string) =>
      name
        .replace('block_sparse_moe.gate', 'mlp.gate')
        .replace(/block_sparse_moe\.experts\.\d+\.w[13]\.weight/, 'mlp.experts.gate_up_proj')
        .replace(/block_sparse_moe\.experts\.\d+\.w2\.weight/, 'mlp.experts.down_proj')
  },
  {
    id: 'a Qwen whose experts transformers 5 stacks, beside layers without',
    model: 'qwen3-experts-sparse',
    nameOf: (name: string) =>
      name
        .replace(/mlp\.experts\.\d+\.(gate|up)_proj\.weight/, 'mlp.experts.gate_up_proj')
        .replace(/mlp\.experts\.\d+\.down_proj\.weight/, 'mlp.experts.down_proj')
  }
]
for (const { id, model: name, nameOf } of otherNames) {
  t.test(`${id} is the same model`, async t => {
    const directory = await newDirectory(t)
    const model = await readFamilyModel(name)
    const usual = await converted(await writeFolder(model, join(directory, 'usual')), directory)
    const stacked = await converted(await writeFolder(model, join(directory, 'stacked'), nameOf), directory)
    t.same(hashesOf(stacked.manifest), hashesOf(usual.manifest))
  })
}

t.test('an old GGUF with a tensor for each expert is the same model', async t => {
  const directory = await newDirectory(t)
  const model = await readFamilyModel('mixtral-wide')
  const names: Record<string, string> = { ...model.gguf?.names }
  for (const name of Object.keys(names)) {
    const [, layer, expert, matrix = ''] = /layers\.(\d+)\..*experts\.(\d+)\.(w[123])/.exec(name) ?? []
    const own = { w1: 'ffn_gate', w2: 'ffn_down', w3: 'ffn_up' }[matrix]
    if (own !== undefined) names[name] = `blk.${layer}.${own}.${expert}.weight`
  }
  const old: FamilyModel = { ...model, ...(model.gguf && { gguf: { ...model.gguf, names } }) }
  const usual = await converted(await writeFamilyGguf(model, join(directory, 'usual.gguf')), directory)
  const separate = await converted(await writeFamilyGguf(old, join(directory, 'old.gguf')), directory)
  t.same(hashesOf(separate.manifest), hashesOf(usual.manifest))
})

t.test('a tensor of an expert that the model does not have, or lacks, is refused by its name', async t => {
  const directory = await newDirectory(t)
  const model = await readFamilyModel('mixtral')
  const renamed = (from: RegExp, to: string) =>
    writeFolder(model, join(directory, to), name => name.replace(from, `experts.${to}.`))
  await t.rejects(converted(await renamed(/experts\.5\./, '9'), directory), {
    code: 'model_invalid',
    message: /tensor "model\.layers\.0\.block_sparse_moe\.experts\.5\.w1\.weight" is missing/
  })
  const fewer = { ...model, config: { ...model.config, num_local_experts: 5 } }
  await t.rejects(converted(await writeFolder(fewer, join(directory, 'fewer')), directory), {
    code: 'model_invalid',
    message: /"model\.layers\.0\.block_sparse_moe\.gate\.weight" is 6 × 64, .* 5 × 64/
  })
})

/** Each matrix of which `matches` holds has numbers of another spread. */
function spread(model: FamilyModel, matches: RegExp, factor: number): FamilyModel {
  const tensors = model.tensors.map(tensor =>
    matches.test(tensor.name) ? { ...tensor, spread: factor * tensor.spread } : tensor
  )
  return { ...model, tensors }
}

t.test('of experts that are equally good those with the lower numbers are taken', async t => {
  const directory = await newDirectory(t)
  // routers of zeros
  const tied = spread(await readFamilyModel('mixtral'), /block_sparse_moe\.gate/, 0)
  const answers = new Map<string, Float32Array>()
  for (const [id, model] of Object.entries({
    tied,
    others: spread(tied, /experts\.[2-5]\./, 3),
    second: spread(tied, /experts\.1\./, 3)
  })) {
    const { init } = await converted(await writeFolder(model, join(directory, id)), directory)
    answers.set(id, await answerOf(init(0)))
  }
  t.same(answers.get('others'), answers.get('tied'), 'nobody asks the others')
  t.not(cosineOf(answers.get('second') ?? [], answers.get('tied') ?? []), 1)
})

t.test('both engines compute the same', async t => {
  const directory = await newDirectory(t)
  const model = await readFamilyModel('qwen3-experts')
  const { init } = await converted(await writeFamilyGguf(model, join(directory, 'model.gguf'), 'Q8_0'), directory)
  t.ok(cosineOf(await answerOf(init(0), 'node'), await answerOf(init(0))) > 0.999_999)
})

t.test('what is no number stays in its row, also where rows share experts', async t => {
  const directory = await newDirectory(t)
  const model = await readFamilyModel('mixtral-wide')
  const { init } = await converted(await writeFamilyGguf(model, join(directory, 'model.gguf'), 'Q8_0'), directory)
  await using stage = await (await createEngine()).loadStage(init(1, { sessionsMax: 4 }))
  using open = new DisposableStack()
  const busy = open.use(stage.open({ positionsMax: CONTEXT }))
  const sessions = Array.from({ length: 3 }, () => open.use(stage.open({ positionsMax: CONTEXT })))
  const step = (session: StageSession, index: number) => () => session.run(hidden(stage, index))
  const alone: Float32Array[] = []
  for (const [index, session] of sessions.entries()) {
    alone.push(Float32Array.from(await step(session, index)()))
    session.truncate(0)
  }
  const results = await stepTogether(busy, stage, sessions.map(step))
  const [first, second, third] = results.map(outputOf)
  t.same([first, third], [alone[0], alone[2]])
  t.ok(second?.every(Number.isNaN))
})

/** The second is none. */
function hidden(stage: Stage, index: number): Float32Array {
  return Float32Array.from({ length: stage.hiddenSize }, (_, place) =>
    index === 1 ? Number.NaN : Math.sin(index + place)
  )
}
