import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MeshError, safeParse } from '@resultity/interface'
import { z } from 'zod'
import type { Contestant, ResidentMemory, Sample, Workload } from './contestant.ts'

/** One test of `llama-bench -o json`: a prompt or an answer, in tokens a second. */
const testsSchema = z.array(z.looseObject({ n_prompt: z.int(), n_gen: z.int(), avg_ts: z.number().positive() }))

export interface LlamaContestantInit {
  /** Path of `llama-bench`. */
  readonly program: string
  readonly ggufPath: string
  readonly threads: number
  readonly workload: Workload
}

/**
 * llama.cpp, measured by its own benchmark: a process for each measurement, which warms up by itself. It decodes behind no
 * prompt.
 */
export class LlamaContestant implements Contestant {
  readonly name = 'llama.cpp'
  readonly #init: LlamaContestantInit

  constructor(init: LlamaContestantInit) {
    this.#init = init
  }

  async measure(): Promise<Sample> {
    const { program, ggufPath, threads, workload } = this.#init
    const { promptTokens, decodeTokens } = workload
    const numbers = { '-t': threads, '-p': promptTokens, '-n': decodeTokens, '-r': 1, '-ngl': 0 }
    const args = [
      '-m',
      ggufPath,
      '-o',
      'json',
      ...Object.entries(numbers).flatMap(([name, value]) => [name, `${value}`])
    ]
    const { stdout } = await promisify(execFile)(program, args)
    const { data: tests } = safeParse(testsSchema, JSON.parse(stdout))
    const prefill = tests?.find(test => test.n_prompt > 0 && test.n_gen === 0)?.avg_ts
    const decode = tests?.find(test => test.n_gen > 0 && test.n_prompt === 0)?.avg_ts
    if (prefill === undefined || decode === undefined) throw new MeshError('internal', `llama-bench wrote ${stdout}`)
    return { prefill, decode, firstTokenMs: (1000 * promptTokens) / prefill }
  }

  /** It has no process between two measurements. */
  async memory(): Promise<ResidentMemory[]> {
    return []
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
