import { rmSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import {
  type DecoderManifest,
  type LayerRange,
  requireDecoder,
  type WeightFile,
  weightFiles
} from '@resultity/interface'
import { convertModel } from '@resultity/model'
import { argmax } from '@resultity/sampling'
import type { Engine, Stage, StageInit, StageSession } from '../src/port.ts'

const modelDir = join(import.meta.dirname, '../../../model/models/tiny-chat')

/** One question and its greedy answer, computed by an independent implementation. */
export interface Golden {
  readonly prompt_ids: readonly number[]
  readonly completion_ids: readonly number[]
}

/** `<|end|>` of tiny-chat's vocabulary. */
export const END_TOKEN = 6

/** Every way to cut four layers into ranges, as the ends of the ranges. */
export const cuts = [[4], [1, 4], [2, 4], [3, 4], [1, 2, 4], [1, 3, 4], [2, 3, 4], [1, 2, 3, 4]]

export interface Fixture extends AsyncDisposable {
  readonly manifest: DecoderManifest
  readonly golden: readonly Golden[]
  readonly workDir: string
  weightPath(file: WeightFile): string
  /** What a stage of `range` is loaded with, everything else being usual. */
  init(range: LayerRange, changes?: Partial<StageInit>): StageInit
}

interface Imported {
  readonly manifest: DecoderManifest
  /** By hash, where each weight file lies. */
  readonly paths: ReadonlyMap<string, string>
}

/** Imports tiny-chat into a directory that goes when this process ends. */
async function importTinyChat(): Promise<Imported> {
  const directory = await mkdtemp(join(tmpdir(), 'engine-test-model-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  await using store = await FileBlobStore.open(join(directory, 'blobs'))
  const converted = await convertModel(modelDir, {
    store,
    name: 'tiny-chat',
    // tests read and change numbers of 32 bits
    dequantize: true,
    tokenizerFiles: {
      definition: await readFile(join(modelDir, 'tokenizer.json')),
      config: await readFile(join(modelDir, 'tokenizer_config.json')),
      endTokenIds: [END_TOKEN]
    }
  })
  const manifest = requireDecoder(converted.manifest)
  const paths = new Map<string, string>()
  for (const file of weightFiles(manifest)) {
    const path = await store.find(file.sha256)
    if (path !== undefined) paths.set(file.sha256, path)
  }
  return { manifest, paths }
}

let shared: Promise<Imported> | undefined

function sharedTinyChat(): Promise<Imported> {
  shared ??= importTinyChat()
  return shared
}

/**
 * tiny-chat, and a directory to work in that goes with the fixture.
 *
 * @param ownWeights true for files that may be changed; those of all other fixtures are the same
 */
export async function openTinyChat({ ownWeights = false } = {}): Promise<Fixture> {
  const { manifest, paths } = await (ownWeights ? importTinyChat() : sharedTinyChat())
  const directory = await mkdtemp(join(tmpdir(), 'engine-test-'))
  const workDir = await mkdtemp(join(directory, 'work-'))
  const weightPath = (file: WeightFile): string => paths.get(file.sha256) ?? join(directory, 'missing')
  return {
    manifest,
    golden: JSON.parse(await readFile(join(modelDir, 'golden.json'), 'utf8')),
    workDir,
    weightPath,
    init: (range, changes) => ({
      manifest,
      range,
      contextLength: 512,
      sessionsMax: 4,
      threads: 1,
      spinning: false,
      weightPath,
      workDir,
      ...changes
    }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true })
  }
}

/** Stages that cover the model, cut behind each layer of `ends`. */
export class Pipeline implements AsyncDisposable {
  readonly stages: readonly Stage[]

  private constructor(stages: readonly Stage[]) {
    this.stages = stages
  }

  static async load(engine: Engine, ends: readonly number[], init: Fixture['init'], changes?: Partial<StageInit>) {
    const stages: Stage[] = []
    let first = 0
    for (const end of ends) {
      stages.push(await engine.loadStage(init({ first, end }, changes)))
      first = end
    }
    return new Pipeline(stages)
  }

  open(positionsMax = 512): PipelineSession {
    return new PipelineSession(this.stages.map(stage => stage.open({ positionsMax })))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stage of this.stages) await stage[Symbol.asyncDispose]()
  }
}

/** A session on every stage of a pipeline. */
export class PipelineSession implements Disposable {
  readonly sessions: readonly StageSession[]

  constructor(sessions: readonly StageSession[]) {
    this.sessions = sessions
  }

  /** Logits after `tokens`; copied, so that they may be kept. */
  async run(tokens: readonly number[]): Promise<Float32Array> {
    let value: Uint32Array | Float32Array = Uint32Array.from(tokens)
    for (const session of this.sessions) value = await session.run(value)
    return value instanceof Float32Array ? value.slice() : new Float32Array(0)
  }

  /** The greedy answer to a prompt that is run in chunks. */
  async answer(prompt: readonly number[], chunk = prompt.length): Promise<number[]> {
    let logits = new Float32Array(0)
    for (let start = 0; start < prompt.length; start += chunk) {
      logits = new Float32Array(await this.run(prompt.slice(start, start + chunk)))
    }
    const answer: number[] = []
    for (let token = argmax(logits); token !== END_TOKEN && answer.length < 64; token = argmax(logits)) {
      answer.push(token)
      logits = new Float32Array(await this.run([token]))
    }
    return answer
  }

  [Symbol.dispose](): void {
    for (const session of this.sessions) session[Symbol.dispose]()
  }
}
