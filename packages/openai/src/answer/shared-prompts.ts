import type { GenerationRequest } from '@resultity/generation'

/**
 * Which choices of an answer have the same prompt. The first of them computes it; the others begin when it has, and so with what
 * that left on the stages.
 */
export class SharedPrompts {
  /** Of each choice, the first with its prompt. */
  readonly #leaders: readonly number[]
  /** Of those that others wait for: resolves once the prompt has been computed, or will not be. */
  readonly #computed = new Map<number, PromiseWithResolvers<void>>()

  /** @param isKept whether stages keep the prompt of a request for others */
  constructor(requests: readonly GenerationRequest[], isKept: (request: GenerationRequest) => boolean) {
    const first = new Map<readonly number[], number>()
    this.#leaders = requests.map(({ prompt }, index) => {
      const leader = first.get(prompt) ?? index
      first.set(prompt, leader)
      return leader
    })
    for (const [index, request] of requests.entries()) {
      const leader = this.#leaders[index] ?? index
      if (leader !== index && isKept(request)) this.#computed.set(leader, Promise.withResolvers())
    }
  }

  /** Whether no choice before it has its prompt. */
  isFirst(index: number): boolean {
    return this.#leaders[index] === index
  }

  /** Resolves once the choice may begin. */
  turn(index: number): Promise<void> | undefined {
    return this.isFirst(index) ? undefined : this.#computed.get(this.#leaders[index] ?? index)?.promise
  }

  /** The choice has its first token, or ends without. */
  computed(index: number): void {
    this.#computed.get(index)?.resolve()
  }
}
