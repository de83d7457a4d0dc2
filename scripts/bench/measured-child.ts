import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { createEngine, type Stage, type StageSession } from '@resultity/engine'
import { GREEDY, prefillEnd, requireDecoder, stageFiles } from '@resultity/interface'
import { importModel, parseModelReference } from '@resultity/model'
import { sampleToken } from '@resultity/sampling'
import type { ChildInit, ChildReply, ChildRequest } from './child-messages.ts'
import { median, type Sample, type Workload } from './contestant.ts'

/** One process in which our engine computes alone. Started by `child-contestant.ts`. */

interface Measured extends AsyncDisposable {
  readonly weightBytes: number
  measure(workload: Workload): Promise<Sample>
  decodeAt(positions: readonly number[], decodeTokens: number, rounds: number): Promise<number[]>
}

/** The same ids for every contestant; any ids do, speed does not depend on them. */
function promptIds(count: number): number[] {
  return Array.from({ length: count }, (_, index) => 100 + ((index * 7919) % 20_000))
}

/** Contexts that are measured in turns. */
const CONTEXTS_MAX = 4

/** Positions of one prefill step, about, as the coordinator asks for. */
const PREFILL_CHUNK = 64

async function engineAlone(init: ChildInit): Promise<Measured> {
  const store = await FileBlobStore.open(init.dataDir)
  const imported = await importModel(parseModelReference(init.reference), { dataDir: init.dataDir, store })
  const manifest = requireDecoder(imported.manifest)
  const range = { first: 0, end: manifest.config.layerCount }
  const files = stageFiles(manifest, range)
  const paths = new Map<string, string>()
  for (const { sha256 } of files) paths.set(sha256, (await store.find(sha256)) ?? '')
  const engine = await createEngine('capi', { tuning: true })
  const workDir = await mkdtemp(join(tmpdir(), 'resultity-bench-'))
  const stage = await engine.loadStage({
    manifest,
    range,
    contextLength: Math.min(init.contextLength, manifest.config.contextLength),
    sessionsMax: CONTEXTS_MAX,
    threads: init.threads,
    spinning: init.spinning,
    weightPath: file => paths.get(file.sha256) ?? '',
    workDir
  })
  return {
    weightBytes: files.reduce((sum, file) => sum + file.bytes, 0),
    measure: ({ promptTokens, decodeTokens }) => measureOnce(stage, promptTokens, decodeTokens),
    decodeAt: (positions, decodeTokens, rounds) => decodeInTurns(stage, positions, decodeTokens, rounds),
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]()
      await rm(workDir, { recursive: true, force: true })
    }
  }
}

async function measureOnce(stage: Stage, promptTokens: number, decodeTokens: number): Promise<Sample> {
  using session = stage.open({ positionsMax: promptTokens + decodeTokens + 1 })
  const started = performance.now()
  const token = await prefill(session, promptTokens)
  const prefillMs = performance.now() - started
  const decodeMs = await timeDecode(session, token, decodeTokens)
  return {
    prefill: (1000 * promptTokens) / prefillMs,
    decode: (1000 * decodeTokens) / decodeMs,
    firstTokenMs: prefillMs
  }
}

/** Decodes on behind each of `positions` again and again, in turns, so that the machine's drift falls on all of them. */
async function decodeInTurns(
  stage: Stage,
  positions: readonly number[],
  decodeTokens: number,
  rounds: number
): Promise<number[]> {
  using sessions = new DisposableStack()
  const contexts: { readonly session: StageSession; readonly token: number; readonly speeds: number[] }[] = []
  for (const position of positions) {
    const session = sessions.use(stage.open({ positionsMax: position + decodeTokens + 1 }))
    contexts.push({ session, token: await prefill(session, position), speeds: [] })
  }
  for (let round = 0; round <= rounds; round++) {
    for (const { session, token, speeds } of contexts) {
      const position = session.position
      const speed = (1000 * decodeTokens) / (await timeDecode(session, token, decodeTokens))
      session.truncate(position)
      // the first does not count: code runs cold in it, and its first step transposes all values of the prompt
      if (round > 0) speeds.push(speed)
    }
  }
  return contexts.map(({ speeds }) => median(speeds))
}

/** @returns the first token */
async function prefill(session: StageSession, count: number): Promise<number> {
  const ids = Uint32Array.from(promptIds(count))
  let logits: Float32Array = new Float32Array(0)
  while (session.position < count) {
    const at = session.position
    logits = await session.run(ids.subarray(at, prefillEnd(at, count, PREFILL_CHUNK)))
  }
  return sampleToken(logits, GREEDY, session.position).token
}

async function timeDecode(session: StageSession, first: number, count: number): Promise<number> {
  const input = new Uint32Array(1)
  let token = first
  const started = performance.now()
  for (let step = 0; step < count; step++) {
    input[0] = token
    token = sampleToken(await session.run(input), GREEDY, session.position).token
  }
  return performance.now() - started
}

function reply(message: ChildReply): void {
  process.send?.(message)
}

async function answer(measured: Measured, request: ChildRequest): Promise<ChildReply> {
  if (request.type === 'measure') return { type: 'sample', sample: await measured.measure(request.workload) }
  const { positions, decodeTokens, rounds } = request
  return { type: 'decodes', decodes: await measured.decodeAt(positions, decodeTokens, rounds) }
}

async function serve(opening: Promise<Measured>): Promise<void> {
  const measured = await opening
  process.on('message', (request: ChildRequest) => {
    answer(measured, request).then(reply, (error: unknown) => reply({ type: 'failed', message: String(error) }))
  })
  reply({ type: 'ready', weightBytes: measured.weightBytes })
}

const init: ChildInit = JSON.parse(process.argv[2] ?? '{}')
const opening = engineAlone(init)
const exit = (): never => process.exit(0)
process.on('disconnect', () => {
  opening.then(measured => measured[Symbol.asyncDispose]()).then(exit, exit)
})
serve(opening).catch((error: unknown) => {
  reply({ type: 'failed', message: error instanceof Error ? `${error.message}` : String(error) })
  process.exit(1)
})
