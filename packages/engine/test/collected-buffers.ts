import { pbkdf2 } from 'node:crypto'
import { buildProbeGraph, buildStageGraph } from '@resultity/model'
import { Binding, GraphSession, getRuntime, NativeTensor, RunOptions } from '@resultity/onnx-runtime'
import { createEngine } from '../src/index.ts'
import { openTinyChat, Pipeline } from './tiny-chat.ts'

// A program of its own, started with --expose-gc: memory that is held too briefly takes down nobody else's tests.

const LOADS = 64
const SESSIONS = 4
const STEPS = 8
/** As many as libuv's pool has threads, twice: calls wait behind them while memory is collected. */
const BLOCKERS = 8
const BLOCKER_ITERATIONS = 40_000

const { gc } = globalThis
if (gc === undefined) throw new Error('start this with --expose-gc')
const collectGarbage = gc

/** Collects, and writes over whatever memory that gave back. */
function collect(...sizes: number[]): void {
  collectGarbage()
  for (const bytes of [8192, 512, 8, ...sizes]) {
    for (let index = 0; index < 128; index++) Buffer.from(new ArrayBuffer(bytes)).fill('!')
  }
}

function occupyPool(): void {
  for (let index = 0; index < BLOCKERS; index++) pbkdf2('x', 'y', BLOCKER_ITERATIONS, 64, 'sha512', () => undefined)
}

/** How many of many loads read another graph than theirs: without its weights each is refused, and in the same words. */
async function loadsOfOtherGraphs(): Promise<number> {
  await using fixture = await openTinyChat()
  const { manifest } = fixture
  const range = { first: 0, end: 4 }
  const { bytes } = buildStageGraph({
    manifest,
    range,
    contextLength: 512,
    logits: 'last',
    weightLocation: () => 'none'
  })
  const load = (graph: Uint8Array): Promise<string> =>
    GraphSession.load(getRuntime(), { graph, folder: fixture.workDir, threads: 1, spinning: false }).then(
      () => 'loaded',
      String
    )
  const expected = await load(bytes)
  occupyPool()
  // nobody but the call has these copies
  const loads = Array.from({ length: LOADS }, () => load(bytes.slice()))
  await new Promise(resolve => setImmediate(resolve))
  for (let round = 0; round < 4; round++) collect(bytes.byteLength)
  return (await Promise.all(loads)).filter(message => message !== expected).length
}

/** Greedy answers of several sessions at once, collecting while their runs are in the library or wait for it. */
async function answers(collecting: boolean): Promise<string[]> {
  await using fixture = await openTinyChat()
  await using pipeline = await Pipeline.load(await createEngine(), [2, 4], fixture.init)
  const answer = async (index: number): Promise<string> => {
    using session = pipeline.open()
    const written: number[] = []
    let tokens = fixture.golden[index % fixture.golden.length]?.prompt_ids ?? []
    for (let step = 0; step < STEPS; step++) {
      const run = session.run(tokens)
      if (collecting) collect()
      const logits = await run
      tokens = [logits.indexOf(logits.reduce((best, value) => Math.max(best, value), Number.NEGATIVE_INFINITY))]
      written.push(...tokens)
    }
    return written.join(' ')
  }
  return await Promise.all(Array.from({ length: SESSIONS }, (_, index) => answer(index)))
}

/** What a run gives whose session, binding, options and tensors are all disposed while it waits for a thread. */
async function released(early: boolean): Promise<number[]> {
  using later = new DisposableStack()
  const runtime = getRuntime()
  const { bytes, width, ...names } = buildProbeGraph()
  const session = later.use(await GraphSession.load(runtime, { graph: bytes, threads: 1, spinning: false }))
  const input = later.use(new NativeTensor(runtime, new Float32Array(width).fill(1), [1, 1, width]))
  const output = later.use(new NativeTensor(runtime, new Float32Array(width), [1, 1, width]))
  const options = later.use(new RunOptions(runtime))
  const binding = later.use(new Binding(runtime, session))
  binding.input(names.input, input)
  binding.output(names.output, output)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  if (early) occupyPool()
  binding.run(options, error => (error === undefined ? resolve() : reject(error)))
  if (early) {
    for (const resource of [session, input, output, options, binding]) resource[Symbol.dispose]()
    collect()
  }
  await promise
  return [...output.data]
}

const wrongGraphs = await loadsOfOtherGraphs()
const expected = await answers(false)
const got = await answers(true)
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + Math.abs(value), 0)
const sums = [sum(await released(false)), sum(await released(true))]
process.stdout.write(JSON.stringify({ wrongGraphs, expected, got, sums }))
