import { copyFile, mkdtemp, readdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, type WeightFile } from '@resultity/interface'
import type t from 'tap'
import type { Engine, Stage, StageSession } from '../src/port.ts'
import { inCompany, leaving } from './company-compliance.ts'
import { cuts, type Fixture, openTinyChat, Pipeline } from './tiny-chat.ts'

type Test = typeof t

interface Case {
  readonly engine: Engine
  readonly fixture: Fixture
}

/** A prompt long enough that a run of it is still under way when the next statement executes. */
const longPrompt = Uint32Array.from({ length: 500 }, (_, index) => 8 + (index % 700))

export interface EngineUnderTest {
  readonly name: string
  create(): Promise<Engine>
  /** Its greedy answers, where they are not those of the model's weights. */
  answer?(fixture: Fixture, prompt: readonly number[]): number[]
  /** It opens weight files. Default true. */
  readonly readsFiles?: boolean
}

/** What every {@link Engine} promises, run against the model whose answers are known. */
export function engineCompliance(t: Test, tested: EngineUnderTest): void {
  const suites: Record<string, (t: Test, context: Case) => Promise<void>> = {
    'the known answers, however the prompt is chunked': knownAnswers,
    'the same bits, wherever the model is cut': sameBits,
    'sessions do not see each other': interleaved,
    'the same bits alone and in company': inCompany,
    'who leaves the company takes nobody along': leaving,
    'interactive sessions go first': turns,
    'slots are counted, and given back': slots,
    'an aborted run ends its session and no other': aborted,
    'truncating forgets exactly the later positions': truncated,
    'wrong input is refused and changes nothing': wrongInput,
    'a stage that cannot be loaded says why and leaves nothing': unloadable,
    'nothing runs after disposal': disposed
  }
  for (const [name, suite] of Object.entries(suites)) {
    if (suite === unloadable && tested.readsFiles === false) continue
    t.test(`${tested.name}: ${name}`, async t => {
      await using tinyChat = await openTinyChat()
      const fixture = withAnswersOf(tested, tinyChat)
      await suite(t as Test, { engine: await tested.create(), fixture })
    })
  }
}

function withAnswersOf({ answer }: EngineUnderTest, fixture: Fixture): Fixture {
  if (answer === undefined) return fixture
  const golden = fixture.golden.map(({ prompt_ids }) => ({ prompt_ids, completion_ids: answer(fixture, prompt_ids) }))
  return { ...fixture, golden }
}

async function knownAnswers(t: Test, { engine, fixture }: Case): Promise<void> {
  await using pipeline = await Pipeline.load(engine, [4], fixture.init)
  for (const chunk of [512, 5, 1]) {
    const wrong: string[] = []
    for (const { prompt_ids, completion_ids } of fixture.golden) {
      using session = pipeline.open()
      const answer = await session.answer(prompt_ids, chunk)
      if (answer.join() !== completion_ids.join()) wrong.push(`${prompt_ids} gave ${answer}`)
    }
    t.same(wrong, [], `chunks of ${chunk}`)
  }
}

async function sameBits(t: Test, { engine, fixture }: Case): Promise<void> {
  const prompt = fixture.golden.flatMap(({ prompt_ids }) => prompt_ids).slice(0, 100)
  let wanted: Uint8Array[] | undefined
  for (const ends of cuts) {
    await using pipeline = await Pipeline.load(engine, ends, fixture.init, { logits: 'all' })
    using session = pipeline.open()
    const found: Uint8Array[] = []
    for (const tokens of [prompt.slice(0, 37), prompt.slice(37, 99), [17], [5], [17]]) {
      const logits = await session.run(tokens)
      t.equal(logits.length, tokens.length * fixture.manifest.config.vocabularySize, 'logits of every position')
      found.push(new Uint8Array(logits.buffer))
    }
    wanted ??= found
    t.ok(
      found.every((bytes, index) => Buffer.compare(bytes, wanted?.[index] ?? new Uint8Array(0)) === 0),
      `cut at ${ends}`
    )
    if (ends.length < 3) continue
    for (const { prompt_ids, completion_ids } of fixture.golden.slice(0, 8)) {
      using answering = pipeline.open()
      // these stages give logits of all positions: one at a time, the last is the only one
      t.same(await answering.answer(prompt_ids, 1), completion_ids)
    }
  }
}

async function interleaved(t: Test, { engine, fixture }: Case): Promise<void> {
  await using pipeline = await Pipeline.load(engine, [2, 4], fixture.init)
  const answers = await Promise.all(
    fixture.golden.slice(0, 4).map(async ({ prompt_ids }) => {
      using session = pipeline.open(128)
      return await session.answer(prompt_ids, 7)
    })
  )
  t.same(
    answers,
    fixture.golden.slice(0, 4).map(({ completion_ids }) => completion_ids)
  )
}

async function turns(t: Test, { engine, fixture }: Case): Promise<void> {
  await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }))
  const order: string[] = []
  const run = async (name: string, session: StageSession, tokens: Uint32Array): Promise<void> => {
    await session.run(tokens)
    order.push(name)
  }
  const chunk = longPrompt.subarray(0, 8)
  // long, so that batch work is not owed another run for a good while
  const many = longPrompt.subarray(0, 400)
  using first = stage.open({ positionsMax: 512, workClass: 'batch' })
  using second = stage.open({ positionsMax: 512, workClass: 'batch' })
  using asking = stage.open({ positionsMax: 64 })
  await Promise.all([run('first', first, many), run('second', second, many), run('asking', asking, chunk)])
  t.same(order.splice(0), ['first', 'asking', 'second'])
  const answering = stage.open({ positionsMax: 64, promptCount: 8 })
  const held = Promise.all([run('first', first, many.subarray(0, 50)), run('second', second, chunk)])
  await run('prompt', answering, chunk)
  await run('token', answering, chunk.subarray(0, 1))
  t.same(order.splice(0), ['prompt', 'token'], 'batch runs have waited since it was opened')
  answering[Symbol.dispose]()
  await held
  t.same(order.splice(0), ['first', 'second'])
  const ending = stage.open({ positionsMax: 64, promptCount: 8 })
  const freed = run('first', first, chunk)
  ending[Symbol.dispose]()
  await freed
}

async function slots(t: Test, { engine, fixture }: Case): Promise<void> {
  await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }, { sessionsMax: 2 }))
  const { prompt_ids } = fixture.golden[0] ?? { prompt_ids: [] }
  const first = stage.open({ positionsMax: 512 })
  const second = stage.open({ positionsMax: 32 })
  t.equal(stage.sessionsOpen, 2)
  t.throws(() => stage.open({ positionsMax: 32 }), { code: 'resource_exhausted' })
  const wanted = (await first.run(Uint32Array.from(prompt_ids))).slice()
  first[Symbol.dispose]()
  second[Symbol.dispose]()
  second[Symbol.dispose]()
  t.equal(stage.sessionsOpen, 0, 'disposing twice gives back once')
  for (const positionsMax of [20, 512, 300, 40]) {
    using session = stage.open({ positionsMax })
    t.equal(session.position, 0)
    t.same(await session.run(Uint32Array.from(prompt_ids)), wanted, 'a reused slot remembers nothing')
  }
  t.throws(() => stage.open({ positionsMax: 513 }), { code: 'context_length_exceeded' })
  t.equal(stage.sessionsOpen, 0)
  using _other = stage.open({ positionsMax: 512 })
  const running = stage.open({ positionsMax: 512 })
  const broken = t.rejects(running.run(longPrompt))
  running[Symbol.dispose]()
  using next = stage.open({ positionsMax: 32 })
  t.same(
    await next.run(Uint32Array.from(prompt_ids)),
    wanted,
    'a run that breaks off keeps no slot from the next session'
  )
  await broken
}

async function aborted(t: Test, { engine, fixture }: Case): Promise<void> {
  await using stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }))
  using running = stage.open({ positionsMax: 512 })
  using waiting = stage.open({ positionsMax: 512 })
  const controller = new AbortController()
  const reason = new MeshError('canceled', 'the client hung up')
  await t.rejects(running.run(longPrompt, { signal: AbortSignal.abort(reason) }), reason, 'aborted before')
  t.equal(running.position, 0)
  const runs = Promise.allSettled([
    running.run(longPrompt, { signal: controller.signal }),
    waiting.run(longPrompt, { signal: controller.signal })
  ])
  controller.abort(reason)
  for (const result of await runs) t.match(result, { status: 'rejected', reason })
  await t.rejects(running.run(longPrompt), { code: 'engine_failed' }, 'its cache is unknown')
  t.throws(() => running.truncate(0), { code: 'engine_failed' })
  const { prompt_ids, completion_ids } = fixture.golden[1] ?? { prompt_ids: [], completion_ids: [] }
  await using other = await Pipeline.load(engine, [4], fixture.init)
  using session = other.open()
  t.same(await session.answer(prompt_ids), completion_ids)
  using next = stage.open({ positionsMax: 512 })
  t.equal((await next.run(longPrompt)).length, fixture.manifest.config.vocabularySize, 'the stage is fine')
}

async function truncated(t: Test, { engine, fixture }: Case): Promise<void> {
  await using pipeline = await Pipeline.load(engine, [2, 4], fixture.init)
  using session = pipeline.open()
  const { prompt_ids, completion_ids } = fixture.golden[2] ?? { prompt_ids: [], completion_ids: [] }
  await session.run(prompt_ids)
  const wanted = await session.run(completion_ids.slice(0, 3))
  await session.run([17, 17, 17, 17])
  for (const part of session.sessions) part.truncate(prompt_ids.length)
  t.same(await session.run(completion_ids.slice(0, 3)), wanted)
  const [part] = session.sessions
  t.equal(part?.position, prompt_ids.length + 3)
  for (const position of [-1, 1.5, prompt_ids.length + 4, Number.NaN]) {
    t.throws(() => part?.truncate(position), { code: 'invalid_request' }, `${position}`)
  }
  for (const each of session.sessions) each.truncate(0)
  t.same(await session.answer(prompt_ids), completion_ids, 'from the beginning')
}

async function wrongInput(t: Test, { engine, fixture }: Case): Promise<void> {
  await using first = await engine.loadStage(fixture.init({ first: 0, end: 1 }))
  await using last = await engine.loadStage(fixture.init({ first: 1, end: 4 }))
  const { hiddenSize, vocabularySize } = fixture.manifest.config
  const cases: [string, Stage, Uint32Array | Float32Array, string][] = [
    ['no tokens', first, new Uint32Array(0), 'invalid_request'],
    ['a token outside the vocabulary', first, Uint32Array.of(1, vocabularySize), 'invalid_request'],
    ['a token that is no int32', first, Uint32Array.of(0xffff_ffff), 'invalid_request'],
    ['hidden states to the first stage', first, new Float32Array(hiddenSize), 'invalid_request'],
    ['tokens to a later stage', last, Uint32Array.of(1), 'invalid_request'],
    ['half a position', last, new Float32Array(hiddenSize + 1), 'invalid_request'],
    ['no positions', last, new Float32Array(0), 'invalid_request'],
    ['too many positions', last, new Float32Array(hiddenSize * 9), 'context_length_exceeded']
  ]
  for (const [name, stage, input, code] of cases) {
    using session = stage.open({ positionsMax: 8 })
    await t.rejects(session.run(input), { code }, name)
    t.equal(session.position, 0)
    const good = stage.first ? Uint32Array.of(1, 2) : new Float32Array(2 * hiddenSize).fill(0.5)
    await session.run(good)
    t.equal(session.position, 2, 'usable after it')
  }
  using session = first.open({ positionsMax: 512 })
  const run = session.run(longPrompt)
  await t.rejects(session.run(Uint32Array.of(1)), { code: 'invalid_request' }, 'a second run at once')
  t.throws(() => session.truncate(0), { code: 'invalid_request' })
  await run
  t.throws(() => first.open({ positionsMax: 0 }), { code: 'invalid_request' })
}

async function unloadable(t: Test, { engine, fixture }: Case): Promise<void> {
  const { manifest, init, workDir } = fixture
  const directory = await mkdtemp(join(workDir, '..', 'damaged-'))
  const damaged = join(directory, 'weights')
  const victim = manifest.layers[1]
  if (victim === undefined) throw new Error('tiny-chat has four layers')
  await copyFile(fixture.weightPath(victim), damaged)
  await truncate(damaged, 8192)
  const elsewhere = join(directory, 'elsewhere')
  await copyFile(fixture.weightPath(victim), elsewhere)
  const replaced = (path: string) => (file: WeightFile) => (file === victim ? path : fixture.weightPath(file))
  const lacking = structuredClone(manifest)
  lacking.layers[1]?.tensors.pop()
  const whole = { first: 0, end: 4 }
  const cases = {
    'a truncated weight file': [init(whole, { weightPath: replaced(damaged) }), 'engine_failed'],
    'a missing weight file': [init(whole, { weightPath: replaced(join(directory, 'absent')) }), 'engine_failed'],
    'a manifest without one tensor': [init(whole, { manifest: lacking }), 'model_invalid'],
    'layers the model does not have': [init({ first: 0, end: 5 }), 'invalid_request'],
    'an empty range': [init({ first: 2, end: 2 }), 'invalid_request'],
    'no sessions': [init(whole, { sessionsMax: 0 }), 'invalid_request'],
    'files of several folders and no work directory': [
      init(whole, { workDir: join(directory, 'absent'), weightPath: replaced(elsewhere) }),
      'engine_failed'
    ]
  } as const
  for (const [name, [broken, code]] of Object.entries(cases)) {
    await t.rejects(engine.loadStage(broken), { name: 'MeshError', code }, name)
  }
  const canceled = new MeshError('canceled', 'no longer wanted')
  await t.rejects(engine.loadStage(init(whole), { signal: AbortSignal.abort(canceled) }), canceled)
  t.same(await readdir(workDir), [], 'nothing is left behind')
  const mixed = await engine.loadStage(init(whole, { weightPath: replaced(elsewhere) }))
  t.equal((await readdir(workDir)).length, 1, 'files of several folders are linked into one')
  await mixed[Symbol.asyncDispose]()
  t.same(await readdir(workDir), [])
  const middle = await engine.loadStage(init({ first: 2, end: 3 }, { weightPath: replaced(damaged) }))
  t.equal(middle.first || middle.last, false, 'a stage opens only its own layers')
  await middle[Symbol.asyncDispose]()
}

async function disposed(t: Test, { engine, fixture }: Case): Promise<void> {
  const stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }))
  const closed = stage.open({ positionsMax: 16 })
  closed[Symbol.dispose]()
  await t.rejects(closed.run(Uint32Array.of(1)), { code: 'unavailable' })
  t.throws(() => closed.truncate(0), { code: 'unavailable' })

  const running = stage.open({ positionsMax: 512 })
  const waiting = stage.open({ positionsMax: 512 })
  const runs = Promise.allSettled([running.run(longPrompt), waiting.run(longPrompt)])
  running[Symbol.dispose]()
  waiting[Symbol.dispose]()
  for (const result of await runs) t.match(result, { status: 'rejected', reason: { code: 'unavailable' } })
  t.equal(stage.sessionsOpen, 0)

  const last = stage.open({ positionsMax: 512 })
  const [run] = await Promise.allSettled([last.run(longPrompt), stage[Symbol.asyncDispose]()])
  t.match(run, { status: 'rejected', reason: { code: 'unavailable' } })
  await stage[Symbol.asyncDispose]()
  t.throws(() => stage.open({ positionsMax: 16 }), { code: 'unavailable' })
  t.same(await readdir(fixture.workDir), [], 'its directory is gone')
}
