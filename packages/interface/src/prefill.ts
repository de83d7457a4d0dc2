/** Share of a step by which the last one of a prompt may be longer, where that saves a step for what is left over. */
const LEFTOVER = 1 / 4

/**
 * Where the prefill step that begins at `at` ends. Steps begin at multiples of `step`, whatever the length of the prompt, so that
 * prompts with the same beginning run it in the same steps; only the last of a prompt has a length of its own. It is at most
 * {@link longestPrefillStep}, for no step shall sweep over all weights for a few positions that are left over.
 *
 * @param at a multiple of `step`, less than `promptCount`
 * @param step positions, from 1 up
 */
export function prefillEnd(at: number, promptCount: number, step: number): number {
  return promptCount - at <= longestPrefillStep(step) ? promptCount : at + step
}

/** Positions of the longest step that there is among steps of `step`. */
export function longestPrefillStep(step: number): number {
  return step + Math.floor(step * LEFTOVER)
}

/** Steps that a prompt has in common with every one that begins alike and is not shorter: all but its last. */
export function sharedPrefillSteps(promptCount: number, step: number): number {
  return Math.max(0, Math.ceil((promptCount - longestPrefillStep(step)) / step))
}
