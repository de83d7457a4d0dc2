import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { createEngine, type Stage } from '@resultity/engine'
import { GREEDY, type LayerRange, requireDecoder } from '@resultity/interface'
import { importModel, parseModelReference } from '@resultity/model'
import { logprobsOf } from '@resultity/sampling'
import { test } from 'tap'
import { type GenerationOutputs, GenerationSession, type SampledToken } from '../src/generation-session.ts'

type Scores = Parameters<GenerationOutputs['scores']>[0]

const goldenPath = new URL('../../../model/models/tiny-chat/golden.json', import.meta.url)
const LAYERS = 4

test('a prompt is scored as the model alone scores it, on one stage and on two', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'resultity-scores-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const store = await FileBlobStore.open(directory)
  t.teardown(() => store[Symbol.asyncDispose]())
  const imported = await importModel(parseModelReference('tiny-chat'), { dataDir: directory, store })
  const manifest = requireDecoder(imported.manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of [manifest.embedding, ...manifest.layers, manifest.head]) {
    paths.set(sha256, (await store.find(sha256)) ?? '')
  }
  const engine = await createEngine()
  const load = (range: LayerRange, logits: 'last' | 'all' = 'last'): Promise<Stage> =>
    engine.loadStage({
      manifest,
      range,
      contextLength: 128,
      sessionsMax: 1,
      threads: 1,
      spinning: false,
      workDir: directory,
      logits,
      weightPath: file => paths.get(file.sha256) ?? ''
    })
  const [golden] = JSON.parse(await readFile(goldenPath, 'utf8'))
  const prompt: number[] = golden.prompt_ids
  const expected = await wholeScores(await load({ first: 0, end: LAYERS }, 'all'), prompt)

  for (const ends of [[LAYERS], [1, LAYERS]]) {
    const stages = await Promise.all(ends.map((end, index) => load({ first: ends[index - 1] ?? 0, end })))
    const { scores, sampled } = await scoreBy(stages, prompt)
    t.same(
      scores.map(({ position }) => position),
      [1],
      'a short prompt takes one frame'
    )
    const got = scores.flatMap(frame => frame.scores)
    t.equal(got.length, prompt.length - 1)
    for (const [index, { logprob, top }] of got.entries()) {
      const wanted = expected[index]
      t.ok(Math.abs(logprob - (wanted?.logprob ?? 0)) < 1e-3, `position ${index + 1}: ${logprob}`)
      t.equal(top[0]?.token, wanted?.top[0]?.token)
    }
    t.equal(sampled[0]?.token, golden.completion_ids[0], 'and the answer begins as ever')
    for (const stage of stages) await stage[Symbol.asyncDispose]()
  }
})

/** From the logits of all positions of one run. */
async function wholeScores(stage: Stage, prompt: readonly number[]) {
  const session = stage.open({ positionsMax: prompt.length })
  const logits = await session.run(Uint32Array.from(prompt))
  const size = stage.vocabularySize
  const scores = prompt
    .slice(1)
    .map((token, index) => logprobsOf(logits.subarray(index * size, (index + 1) * size), token, 1))
  session[Symbol.dispose]()
  await stage[Symbol.asyncDispose]()
  return scores
}

/** As nodes would: each stage's session hands hidden states to the next. */
async function scoreBy(stages: readonly Stage[], prompt: readonly number[]) {
  const scores: Scores[] = []
  const sampled: SampledToken[] = []
  const sessions: GenerationSession[] = []
  for (const [index, stage] of stages.entries()) {
    const { first, last, hiddenSize, vocabularySize } = stage
    const spec = { promptCount: prompt.length, tokensMax: 1, prefillChunk: 1, endTokens: new Set<number>() }
    const wishes = { sampling: GREEDY, logprobs: false, topLogprobs: 1, promptLogprobs: true, promptTokens: prompt }
    const outputs: GenerationOutputs = {
      hidden: (position, count, hidden) => sessions[index + 1]?.hidden(position, count, hidden),
      nextToken: () => {},
      sampled: token => void sampled.push(token),
      replayed: () => undefined,
      scores: frame => void scores.push(frame)
    }
    const slot = stage.open({ positionsMax: prompt.length + 1 })
    sessions.push(new GenerationSession({ ...spec, ...wishes, first, last, hiddenSize, vocabularySize }, slot, outputs))
  }
  await sessions[0]?.prompt(Uint32Array.from(prompt))
  for (const session of sessions) session[Symbol.dispose]()
  return { scores, sampled }
}
