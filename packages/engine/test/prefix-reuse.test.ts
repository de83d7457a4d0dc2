import { join } from 'node:path'
import { writeRandomGguf } from '@resultity/formats'
import { prefillEnd, sharedPrefillSteps } from '@resultity/interface'
import { argmax } from '@resultity/sampling'
import t, { type Test } from 'tap'
import { KvArena } from '../src/capi/kv-arena.ts'
import { createEngine, type PrefixInit, type Stage, type StageInit, type StageSession } from '../src/index.ts'
import { watchRuns } from './company.ts'
import { convertGguf } from './convert-gguf.ts'
import { encodeTinyChat } from './quantized-tiny-chat.ts'
import { type Fixture, openTinyChat, Pipeline } from './tiny-chat.ts'

const BLOCK = 16
const STEPS = 6

interface Asked {
  readonly prompt: readonly number[]
  /** Undefined: what is kept is no matter of this session. */
  readonly scope?: string
  readonly reuse?: boolean
}

/** Any tokens: those of one seed go on where shorter ones of it end. */
function tokens(count: number, seed = 1): number[] {
  return Array.from({ length: count }, (_, index) => 8 + ((index * 37 * seed + seed) % 290))
}

/** A model whose steps attend by groups of heads from position 96 on, where a stage has 256. */
async function grouped(fixture: Fixture): Promise<Partial<StageInit>> {
  const path = join(fixture.workDir, '..', 'groups.gguf')
  const heads = { headCount: 16, kvHeadCount: 2 }
  const sizes = { layerCount: 4, hiddenSize: 256, intermediateSize: 512, vocabularySize: 300, contextLength: 512 }
  await writeRandomGguf(path, { shape: { ...sizes, ...heads, tiedEmbedding: true }, seed: 11, encoding: 'F32' })
  return { ...(await convertGguf(path, join(fixture.workDir, '..', 'groups'))), contextLength: 256 }
}

/** Blocks are named by all tokens up to their ends, so that no two mean the same. */
function prefixOf({ prompt, scope, reuse = true }: Asked): PrefixInit | undefined {
  if (scope === undefined) return undefined
  const blocks = Array.from({ length: sharedPrefillSteps(prompt.length, BLOCK) }, (_, index) =>
    prompt.slice(0, (index + 1) * BLOCK).join()
  )
  return { scope, blockPositions: BLOCK, blocks, reuse }
}

/** A session on every stage. */
class Asking implements Disposable {
  readonly #sessions: readonly StageSession[]
  readonly #prompt: readonly number[]

  constructor(stages: readonly Stage[], asked: Asked) {
    this.#prompt = asked.prompt
    const prefix = prefixOf(asked)
    this.#sessions = stages.map(stage =>
      stage.open({
        positionsMax: asked.prompt.length + STEPS,
        promptCount: asked.prompt.length,
        ...(prefix === undefined ? {} : { prefix })
      })
    )
  }

  /** Positions that each stage has found. */
  get found(): number[] {
    return this.#sessions.map(({ position }) => position)
  }

  /** Runs the prompt from the first position on that some stage has not, and a few greedy steps. @returns logits of each run */
  async answer(): Promise<Buffer[]> {
    const from = Math.min(...this.found)
    for (const session of this.#sessions) session.truncate(from)
    const all: Buffer[] = []
    const { length } = this.#prompt
    for (let at = from; at < length; at = prefillEnd(at, length, BLOCK)) {
      all.push(await this.#run(this.#prompt.slice(at, prefillEnd(at, length, BLOCK))))
    }
    for (let step = 0; step < STEPS; step++) all.push(await this.#run([argmax(floatsOf(all.at(-1)))]))
    return all
  }

  async #run(input: readonly number[]): Promise<Buffer> {
    let value: Uint32Array | Float32Array = Uint32Array.from(input)
    for (const session of this.#sessions) value = await session.run(value)
    return Buffer.from(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength))
  }

  /** Ends, and leaves what others may begin with. */
  end(): void {
    for (const session of this.#sessions) session.leavePrefix?.()
    this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions) session[Symbol.dispose]()
  }
}

function floatsOf(bytes: Buffer | undefined): Float32Array {
  return bytes === undefined ? new Float32Array() : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

async function coldAnswer(stages: readonly Stage[], prompt: readonly number[]): Promise<Buffer[]> {
  using asking = new Asking(stages, { prompt })
  return await asking.answer()
}

/** The runs of a warm answer are the last of the cold one. */
function sameBits(t: Test, warm: readonly Buffer[], cold: readonly Buffer[], what: string): void {
  const wanted = cold.slice(cold.length - warm.length)
  t.ok(warm.length > STEPS && warm.every((bytes, index) => bytes.equals(wanted[index] ?? Buffer.alloc(0))), what)
}

t.test('what is kept has the bits of a cold run, taken over or copied, however the model is cut', async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine()
  const variants = [{}, (await encodeTinyChat(fixture, 'q4')).encoded, await grouped(fixture)]
  for (const [index, variant] of variants.entries()) {
    for (const ends of [[4], [1, 2, 4]]) {
      await using pipeline = await Pipeline.load(engine, ends, fixture.init, { ...variant, threads: 1 + index })
      const { stages } = pipeline
      const named = `variant ${index}, cut at ${ends}`
      const first = tokens(5 * BLOCK + 7)
      const second = [...first, ...tokens(40, 3)]
      const branch = [...first.slice(0, 3 * BLOCK), ...tokens(60, 5)]
      const [coldFirst, coldSecond, coldBranch] = [
        await coldAnswer(stages, first),
        await coldAnswer(stages, second),
        await coldAnswer(stages, branch)
      ]
      using turn = new Asking(stages, { prompt: first, scope: 'a' })
      t.same(new Set(turn.found), new Set([0]))
      sameBits(t, await turn.answer(), coldFirst, `${named}: with nothing kept`)
      using beside = new Asking(stages, { prompt: branch, scope: 'a' })
      t.same(new Set(beside.found), new Set([3 * BLOCK]))
      sameBits(t, await beside.answer(), coldBranch, `${named}: copied from a session that goes on`)
      turn.end()
      beside[Symbol.dispose]()
      using next = new Asking(stages, { prompt: second, scope: 'a' })
      t.same(new Set(next.found), new Set([5 * BLOCK]), 'all whole blocks, and no step of the answer')
      sameBits(t, await next.answer(), coldSecond, `${named}: the next turn`)
      next.end()
      using again = new Asking(stages, { prompt: first, scope: 'a' })
      t.same(new Set(again.found), new Set([5 * BLOCK]))
      sameBits(t, await again.answer(), coldFirst, `${named}: the first turn once more, copied`)
      again.end()
      using other = new Asking(stages, { prompt: second, scope: 'b' })
      t.same(new Set(other.found), new Set([0]), 'another scope')
      using fresh = new Asking(stages, { prompt: second, scope: 'a', reuse: false })
      t.same(new Set(fresh.found), new Set([0]), 'nothing was to be used')
      for (const stage of stages) stage.forgetPrefixes?.('a')
      using forgotten = new Asking(stages, { prompt: second, scope: 'a' })
      t.same(new Set(forgotten.found), new Set([0]))
    }
  }
})

t.test('what is kept keeps nobody from a slot, and the one that was left the longest ago goes first', async t => {
  await using fixture = await openTinyChat()
  await using pipeline = await Pipeline.load(await createEngine(), [4], fixture.init, { sessionsMax: 3 })
  const { stages } = pipeline
  const prompts = [1, 3, 5, 7].map(seed => tokens(3 * BLOCK + 9, seed))
  const ask = async (prompt: readonly number[] | undefined): Promise<number> => {
    using asking = new Asking(stages, { prompt: prompt ?? [], scope: 'a' })
    const [found = 0] = asking.found
    await asking.answer()
    asking.end()
    return found
  }
  for (const prompt of prompts.slice(0, 3)) t.equal(await ask(prompt), 0)
  t.equal(await ask(prompts[0]), 3 * BLOCK, 'used, and left again')
  t.equal(await ask(prompts[3]), 0)
  t.equal(await ask(prompts[0]), 3 * BLOCK)
  t.equal(await ask(prompts[1]), 0, 'it had to go')
  t.equal(stages[0]?.sessionsOpen, 0)
  using sessions = new DisposableStack()
  for (const seed of [11, 13, 15]) {
    const asking = sessions.use(new Asking(stages, { prompt: tokens(50, seed) }))
    t.ok((await asking.answer()).length > STEPS, 'a slot for each')
  }
})

t.test('a session that is waited for gets what it was promised, and its source is not written to before', async t => {
  await using fixture = await openTinyChat()
  await using pipeline = await Pipeline.load(await createEngine(), [4], fixture.init, { sessionsMax: 2 })
  const { stages } = pipeline
  const first = tokens(4 * BLOCK + 9)
  const branch = [...first.slice(0, 2 * BLOCK), ...tokens(50, 3)]
  const [coldBranch, coldThird] = [await coldAnswer(stages, branch), await coldAnswer(stages, tokens(60, 7))]
  const source = new Asking(stages, { prompt: first, scope: 'a' })
  await source.answer()
  using promised = new Asking(stages, { prompt: branch, scope: 'a' })
  t.same(promised.found, [2 * BLOCK])
  source.end()
  // both rows have an owner or are waited for
  using third = new Asking(stages, { prompt: tokens(60, 7), scope: 'a' })
  sameBits(t, await third.answer(), coldThird, 'who comes between has a row')
  sameBits(t, await promised.answer(), coldBranch, 'and so has who waited')
})

t.test('the source of a copy is not written to by steps beside it, though its session failed', async t => {
  await using fixture = await openTinyChat()
  await using pipeline = await Pipeline.load(await createEngine(), [4], fixture.init, { sessionsMax: 5 })
  const { stages } = pipeline
  const [stage] = stages
  if (stage === undefined) throw new Error('there is no stage')
  const prompt = tokens(4 * BLOCK + 9)
  const cold = await coldAnswer(stages, prompt)
  using sessions = new DisposableStack()
  const open = (): StageSession => sessions.use(stage.open({ positionsMax: 100 }))
  const [below, above, other] = [open(), open(), open()]
  await below.run(Uint32Array.from(tokens(3)))
  const source = new Asking(stages, { prompt, scope: 'a' })
  await source.answer()
  await above.run(Uint32Array.from(tokens(5)))
  using promised = new Asking(stages, { prompt, scope: 'a' })
  t.same(promised.found, [4 * BLOCK])
  source[Symbol.dispose]()
  // while the first run is under way the steps of both wait, and are computed together, with the row between them
  const steps = [other.run(Uint32Array.from(tokens(40))), below.run(Uint32Array.of(9)), above.run(Uint32Array.of(9))]
  await Promise.all(steps)
  sameBits(t, await promised.answer(), cold, 'copied after that')
})

t.test('who ends before its first run leaves what was there', async t => {
  await using fixture = await openTinyChat()
  await using pipeline = await Pipeline.load(await createEngine(), [4], fixture.init, { sessionsMax: 2 })
  const { stages } = pipeline
  const prompt = tokens(4 * BLOCK + 9)
  const cold = await coldAnswer(stages, prompt)
  using turn = new Asking(stages, { prompt, scope: 'a' })
  await turn.answer()
  turn.end()
  for (let time = 0; time < 3; time++) {
    using asking = new Asking(stages, { prompt, scope: 'a' })
    t.same(asking.found, [4 * BLOCK])
  }
  using asking = new Asking(stages, { prompt, scope: 'a' })
  sameBits(t, await asking.answer(), cold, 'the same as ever')
  using copying = new Asking(stages, { prompt: [...prompt.slice(0, 2 * BLOCK), ...tokens(30, 9)], scope: 'a' })
  t.same(copying.found, [2 * BLOCK])
  const copy = KvArena.prototype.copy
  t.teardown(() => {
    KvArena.prototype.copy = copy
  })
  KvArena.prototype.copy = function* slow(this: KvArena, from: number, to: number, positions: number) {
    yield
    yield* copy.call(this, from, to, positions)
  }
  using watch = watchRuns()
  const answer = copying.answer()
  copying[Symbol.dispose]()
  await t.rejects(answer, { code: 'unavailable' })
  t.equal(watch.count, 0, 'closed while its beginning is copied, it does not run')
  t.equal(stages[0]?.sessionsOpen, 1)
})

t.test('a session may forget some of what it has found before its first run, to any position', async t => {
  await using fixture = await openTinyChat()
  await using pipeline = await Pipeline.load(await createEngine(), [4], fixture.init, { sessionsMax: 3 })
  const [stage] = pipeline.stages
  if (stage === undefined) throw new Error('there is no stage')
  const prompt = tokens(4 * BLOCK + 9)
  using turn = new Asking(pipeline.stages, { prompt, scope: 'a' })
  await turn.answer()
  const at = 2 * BLOCK + 5
  const prefix = prefixOf({ prompt, scope: 'a' })
  const rest = Uint32Array.from(prompt.slice(at))
  const run = async (): Promise<Buffer> => {
    using session = stage.open({ positionsMax: 100, ...(prefix === undefined ? {} : { prefix }) })
    t.equal(session.position, 4 * BLOCK)
    session.truncate(at)
    return Buffer.from((await session.run(rest)).slice().buffer)
  }
  const copied = await run()
  turn.end()
  t.ok((await run()).equals(copied), 'copied as taken over')
  using cold = stage.open({ positionsMax: 100 })
  for (let block = 0; block < 3; block++) {
    await cold.run(Uint32Array.from(prompt.slice(block * BLOCK, (block + 1) * BLOCK)))
  }
  cold.truncate(at)
  t.ok(Buffer.from((await cold.run(rest)).slice().buffer).equals(copied))
})

t.test('what a run that gave no numbers has touched is not kept', async t => {
  await using fixture = await openTinyChat()
  const init = fixture.init({ first: 2, end: 4 })
  await using stage = await (await createEngine()).loadStage(init)
  const prefix = { scope: 'a', blockPositions: BLOCK, blocks: ['1', '2', '3'], reuse: true }
  const hidden = (value: number): Float32Array => new Float32Array(BLOCK * stage.hiddenSize).fill(value)
  const session = stage.open({ positionsMax: 100, prefix })
  await session.run(hidden(0.5))
  await session.run(hidden(Number.NaN))
  session.leavePrefix?.()
  session[Symbol.dispose]()
  using next = stage.open({ positionsMax: 100, prefix })
  t.equal(next.position, BLOCK)
})
