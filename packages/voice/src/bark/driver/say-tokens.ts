import { type AbortOptions, type BarkConfig, MeshError, type TokenSynthesisJob } from '@resultity/interface'
import type { BarkRuns } from './bark-runs.ts'
import { chanceOf } from './chance.ts'
import { writeCoarse } from './write-coarse.ts'
import { rowsOf, writeFine } from './write-fine.ts'
import { writeSemantic } from './write-semantic.ts'

/** What a voice has said before, row by row. */
export interface PromptNumbers {
  readonly semantic: readonly number[]
  readonly coarse: readonly (readonly number[])[]
  readonly fine: readonly (readonly number[])[]
}

/** A sentence, and all that was written for it on the way. */
export interface SaidTokens {
  readonly semantic: readonly number[]
  /** For each frame its codes. */
  readonly coarse: readonly (readonly number[])[]
  readonly fine: readonly (readonly number[])[]
  /** f32, one channel. */
  readonly samples: Float32Array
}

const NOBODY: PromptNumbers = { semantic: [], coarse: [], fine: [] }

/** @throws MeshError `invalid_request` for a sentence that the model does not read */
export function checkSentence({ semantic, prompts }: BarkConfig, { tokens, speaker }: TokenSynthesisJob): void {
  const invalid = (param: string, message: string): MeshError =>
    new MeshError('invalid_request', message, { details: { param } })
  if (tokens.length === 0 || tokens.length > semantic.inputLength) {
    throw invalid('tokens', `${tokens.length} tokens came, 1 to ${semantic.inputLength} are taken`)
  }
  const most = semantic.inputVocabularySize - semantic.textOffset
  const wrong = tokens.find(token => !Number.isInteger(token) || token < 0 || token >= most)
  if (wrong !== undefined) throw invalid('tokens', `token ${wrong} came, the model has ${most}`)
  if (speaker !== undefined && speaker >= prompts.length)
    throw invalid('speaker', `speaker ${speaker} came, the model has ${prompts.length}`)
}

/**
 * Says one sentence: semantic tokens of the text, coarse codes of these, fine codes of those, and samples. Deterministic: the same
 * sentence with the same seed gives the same tokens wherever sums are rounded alike.
 *
 * @param prompt what the voice has said before; default: nothing, and any voice may come
 * @throws MeshError `invalid_request` for a sentence that the model does not read; what runs throw; the reason of `signal`
 */
export async function sayTokens(
  config: BarkConfig,
  runs: BarkRuns,
  job: TokenSynthesisJob,
  { prompt = NOBODY, ...options }: AbortOptions & { readonly prompt?: PromptNumbers } = {}
): Promise<SaidTokens> {
  checkSentence(config, job)
  const { temperature } = job
  const seed = BigInt(job.seed)
  const part = (name: 'semantic' | 'coarse') => ({
    draw: { ...config[name], temperature: temperature ?? config[name].temperature },
    chance: chanceOf(seed, job.sentence, name)
  })
  const semantic = await writing(runs, 'semantic', written =>
    writeSemantic(config, written, { tokens: job.tokens, history: prompt.semantic, ...part('semantic') }, options)
  )
  const coarse = await writing(runs, 'coarse', written =>
    writeCoarse(config, written, { said: semantic, history: prompt, ...part('coarse') }, options)
  )
  const fine = await writeFine(
    config,
    runs,
    {
      coarse,
      history: prompt.fine,
      // chance in the overtones is its own: a request only turns it off
      temperature: temperature === 0 ? 0 : config.fine.temperature,
      chance: chanceOf(seed, job.sentence, 'fine')
    },
    options
  )
  const samples = await runs.sound(rowsOf(fine, config.fine.codebookCount, config.codec.codebookSize), options)
  return { semantic, coarse, fine, samples }
}

/** The cache goes before the next part takes its own. */
async function writing<Result>(
  runs: BarkRuns,
  part: 'semantic' | 'coarse',
  work: (written: ReturnType<BarkRuns['begin']>) => Promise<Result>
): Promise<Result> {
  using written = runs.begin(part)
  return await work(written)
}
