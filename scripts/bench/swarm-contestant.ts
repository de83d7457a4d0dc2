import { FileBlobStore } from '@resultity/blobs'
import { MeshError, requireDecoder, stageFiles } from '@resultity/interface'
import { importModel, type ModelReference } from '@resultity/model'
import { residentBytes, type Swarm, startSwarm } from '@resultity/testkit'
import { z } from 'zod'
import type { Contestant, ResidentMemory, Sample } from './contestant.ts'

const answerSchema = z.looseObject({
  usage: z.looseObject({ prompt_tokens: z.int(), completion_tokens: z.int() }),
  mesh: z.looseObject({ ttftMs: z.number(), tokensPerSecond: z.number().nullable() })
})

export interface SwarmContestantInit {
  readonly stages: number
  /** `file:` reference of the model. */
  readonly model: string
  readonly threads: number
  /** The coordinator's data directory, where the model is imported already. */
  readonly coordinatorData: string
  readonly decodeTokens: number
  readonly contextLength: number
  /** As `--tuning`, of all processes. Default: the daemons' own. */
  readonly tuning?: string
  /** Starts its processes. Default: those of this version. */
  readonly startSwarm?: typeof startSwarm
}

/** A coordinator and as many node processes as stages, on loopback, driven over HTTP as by any client. */
export class SwarmContestant implements Contestant {
  readonly name: string
  readonly #swarm: Swarm
  readonly #init: SwarmContestantInit
  readonly #model: string
  #prompt = ''
  /** Tokens of the prompt that is measured, chat template included. */
  promptTokens = 0

  private constructor(swarm: Swarm, init: SwarmContestantInit, model: string) {
    this.name = `stages-${init.stages}`
    this.#swarm = swarm
    this.#init = init
    this.#model = model
  }

  static async start(init: SwarmContestantInit): Promise<SwarmContestant> {
    const swarm = await (init.startSwarm ?? startSwarm)({
      nodes: init.stages,
      stages: init.stages,
      models: [init.model],
      threads: init.threads,
      coordinatorData: init.coordinatorData,
      coordinatorArgs: [`--context-length=${init.contextLength}`, '--sessions=1'],
      ...(init.tuning === undefined ? {} : { env: { RESULTITY_TUNING: init.tuning } })
    })
    const [model] = await swarm.api.models()
    if (model === undefined) throw new MeshError('internal', 'the swarm serves no model')
    return new SwarmContestant(swarm, init, model.id)
  }

  /**
   * Finds the prompt of about `tokens` tokens, by asking: the chat template adds its own.
   *
   * @param prompt what another swarm of the same model has found, instead of searching again
   * @returns the prompt
   */
  async calibrate(tokens: number, prompt?: string): Promise<string> {
    const tried = new Set<number>()
    for (let words = tokens; !tried.has(words); ) {
      tried.add(words)
      this.#prompt = prompt ?? 'a '.repeat(words)
      const { usage } = await this.#ask(1)
      this.promptTokens = usage.prompt_tokens
      if (prompt !== undefined || usage.prompt_tokens === tokens) break
      // a word is one token in most vocabularies, several in one of single bytes: then no count may fit
      const step = Math.round((tokens - usage.prompt_tokens) * (words / usage.prompt_tokens))
      words = Math.max(1, words + step)
    }
    return this.#prompt
  }

  async measure(): Promise<Sample> {
    const { mesh } = await this.#ask(this.#init.decodeTokens + 1)
    return {
      prefill: (1000 * this.promptTokens) / mesh.ttftMs,
      decode: mesh.tokensPerSecond ?? Number.NaN,
      firstTokenMs: mesh.ttftMs
    }
  }

  async memory(): Promise<ResidentMemory[]> {
    await using store = await FileBlobStore.open(this.#init.coordinatorData)
    const reference: ModelReference = { kind: 'file', path: this.#init.model.replace(/^file:/, '') }
    const { manifest } = await importModel(reference, { dataDir: this.#init.coordinatorData, store })
    const placements = await this.#swarm.api.placements()
    const stages = placements.find(placement => placement.model === this.#model)?.stages ?? []
    const rows = this.#swarm.nodes.map(async ({ peerId, pid }) => {
      const range = stages.find(stage => stage.peerId === peerId)?.range
      const files = range === undefined ? [] : stageFiles(requireDecoder(manifest), range)
      return {
        name: `${this.name} ${range === undefined ? 'idle' : `[${range.first},${range.end})`}`,
        residentBytes: await residentBytes(pid),
        weightBytes: files.reduce((sum, file) => sum + file.bytes, 0)
      }
    })
    const { pid } = this.#swarm.coordinator
    const coordinator = { name: `${this.name} coordinator`, residentBytes: await residentBytes(pid), weightBytes: 0 }
    return [coordinator, ...(await Promise.all(rows))]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#swarm.stop()
  }

  async #ask(maxTokens: number): Promise<z.infer<typeof answerSchema>> {
    const response = await fetch(`${this.#swarm.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: this.#model,
        messages: [{ role: 'user', content: this.#prompt }],
        max_tokens: maxTokens,
        temperature: 0,
        ignore_eos: true
      })
    })
    const text = await response.text()
    if (response.status !== 200) throw new MeshError('internal', `${this.name} answered ${response.status}: ${text}`)
    return answerSchema.parse(JSON.parse(text))
  }
}
