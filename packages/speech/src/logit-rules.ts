import type { WhisperConfig } from '@resultity/interface'

/** A window's first timestamp is 1 s at the latest, in steps of 20 ms. */
const FIRST_TIMESTAMP_STEPS_MAX = 50

const NEVER = Number.NEGATIVE_INFINITY

/**
 * Takes out, in place, the tokens that may not come next, by the rules of OpenAI's reference (`decoding.py`, `SuppressTokens`,
 * `SuppressBlank`, `ApplyTimestampRules`).
 *
 * @param logits of one position, `[vocabularySize]`
 * @param written tokens of the window so far
 */
export function applyRules(logits: Float32Array, written: readonly number[], config: WhisperConfig): void {
  const { tokens, suppress, suppressAtBegin } = config
  for (const token of suppress) logits[token] = NEVER
  // what steers is not said: the reference takes out these by name, all but the languages
  logits.fill(NEVER, tokens.endOfText + 1, tokens.firstTimestamp)
  if (written.length === 0) for (const token of suppressAtBegin) logits[token] = NEVER
  applyTimestampPairs(logits, written, config)
  if (written.length === 0) {
    logits.fill(NEVER, 0, tokens.firstTimestamp)
    logits.fill(NEVER, tokens.firstTimestamp + FIRST_TIMESTAMP_STEPS_MAX + 1)
  }
  preferTimestamp(logits, config)
}

/** Timestamps come in pairs, but for one before the end of the text, and none is before an earlier one. */
function applyTimestampPairs(logits: Float32Array, written: readonly number[], { tokens }: WhisperConfig): void {
  const { firstTimestamp, endOfText } = tokens
  const isTimestamp = (token: number | undefined): boolean => token !== undefined && token >= firstTimestamp
  const afterOne = isTimestamp(written.at(-1))
  const afterTwo = afterOne && (written.length < 2 || isTimestamp(written.at(-2)))
  if (afterTwo) logits.fill(NEVER, firstTimestamp)
  else if (afterOne) logits.fill(NEVER, 0, endOfText)
  const last = written.findLast(isTimestamp)
  if (last === undefined) return
  // a segment may begin where the one before it ends, and never ends where it begins
  const next = afterOne && !afterTwo ? last : last + 1
  logits.fill(NEVER, firstTimestamp, next)
}

/** A timestamp comes where all of them together are likelier than the likeliest of the other tokens. */
function preferTimestamp(logits: Float32Array, { tokens }: WhisperConfig): void {
  const { firstTimestamp } = tokens
  const text = highest(logits, 0, firstTimestamp)
  const time = highest(logits, firstTimestamp, logits.length)
  if (time === NEVER) return
  let sum = 0
  for (let token = firstTimestamp; token < logits.length; token++) sum += Math.exp((logits[token] ?? NEVER) - time)
  if (time + Math.log(sum) > text) logits.fill(NEVER, 0, firstTimestamp)
}

/** The highest of `logits[first, end)`. */
function highest(logits: Float32Array, first: number, end: number): number {
  let best = NEVER
  for (let token = first; token < end; token++) best = Math.max(best, logits[token] ?? NEVER)
  return best
}
