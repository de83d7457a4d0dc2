import { Violation } from './violation.ts'

/** Positions of one prefill step of all prompts: few enough that prompts have several, and enough that steps have names. */
export const PREFILL_CHUNK = 16

/** All prompts that were asked for so far, to know what stages can have kept. */
export class AskedPrompts {
  readonly #prompts = new Map<string, (readonly number[])[]>()
  #reused = 0

  /** Prompts of which something was kept. */
  get reused(): number {
    return this.#reused
  }

  add(namespace: string, prompt: readonly number[]): void {
    const prompts = this.#prompts.get(namespace) ?? []
    this.#prompts.set(namespace, [...prompts, prompt])
  }

  /**
   * So many tokens of a prompt are said to have been kept: from one of the same namespace, which began with the same steps, and was
   * not this one itself, which has been added too.
   *
   * @throws Violation
   */
  requireKept(name: string, namespace: string, prompt: readonly number[], cachedTokens: number): void {
    if (cachedTokens === 0) return
    this.#reused++
    const begins = (other: readonly number[]): boolean =>
      prompt.slice(0, cachedTokens).every((token, index) => other[index] === token)
    const possible = cachedTokens % PREFILL_CHUNK === 0 && cachedTokens < prompt.length
    // this one, and another
    if (possible && (this.#prompts.get(namespace) ?? []).filter(begins).length > 1) return
    throw new Violation(`${name} begins with ${cachedTokens} tokens that nobody of "${namespace}" has asked for`)
  }
}
