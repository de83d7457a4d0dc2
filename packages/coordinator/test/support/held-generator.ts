import type { GenerationEvent, Generator } from '../../src/index.ts'

/** Makes answers in the nodes' place, and says how many it makes at once. */
export interface HeldGenerator extends Generator {
  /** Answers begun so far, and most at once. */
  readonly begun: number
  readonly most: number
  readonly now: number
  /** Answers wait from now on but for the first `free` of them, until they are let. */
  hold(free?: number): void
  let(): void
}

/** @param tokens texts of the tokens of every answer */
export function heldGenerator(tokens: readonly string[] = ['word'], placesMax = 20): HeldGenerator {
  let gate = Promise.withResolvers<void>()
  gate.resolve()
  const state = { begun: 0, most: 0, now: 0, free: 0 }
  return {
    placesMax,
    get begun() {
      return state.begun
    },
    get most() {
      return state.most
    },
    get now() {
      return state.now
    },
    hold: (free = 0) => {
      gate = Promise.withResolvers()
      state.free = free
      state.most = state.now
    },
    let: () => gate.resolve(),
    start: async ({ prompt, tokensMax }, { signal } = {}) => {
      state.begun++
      state.now++
      state.most = Math.max(state.most, state.now)
      const held = state.free-- > 0 ? undefined : gate.promise
      const left = Promise.withResolvers<void>()
      signal?.addEventListener('abort', () => left.resolve(), { once: true })
      const answer = tokens.slice(0, tokensMax)
      const usage = { promptTokens: prompt.length, completionTokens: answer.length }
      async function* events(): AsyncGenerator<GenerationEvent, void> {
        await Promise.race([held, left.promise])
        signal?.throwIfAborted()
        for (const text of answer) yield { type: 'token', text, tokenId: 5 }
        yield { type: 'end', text: '', finishReason: 'length', complete: true, usage }
      }
      const end = async (): Promise<void> => {
        state.now--
      }
      return { route: { placementId: 'none', stages: [] }, usage, events: events(), [Symbol.asyncDispose]: end }
    }
  }
}
