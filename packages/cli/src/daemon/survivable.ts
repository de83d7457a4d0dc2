import { constants } from 'node:os'

/**
 * Errors of the operating system that one socket or one moment has, and the rest of the process does not: the table of
 * open files is full, a peer went away in the midst of a write, the network is down.
 */
const SURVIVABLE = [
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'EADDRNOTAVAIL',
  'EPIPE',
  'ECONNRESET',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ENETDOWN',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ETIMEDOUT'
] as const
export type SurvivableCode = (typeof SURVIVABLE)[number]

/** Those of them that mean too many open files, connections or buffers. */
const SHORTAGES: ReadonlySet<SurvivableCode> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS'])

const errnos: Readonly<Record<string, number>> = constants.errno

/** Errors wrap one another; real ones are not deeper than this. */
const DEPTH_MAX = 8

/**
 * The code of a survivable error, whatever it is wrapped in; undefined for any other error, which leaves the process in
 * an unknown state. An error of several is survivable only when all of them are.
 */
export function survivableCode(error: unknown, depth = DEPTH_MAX): SurvivableCode | undefined {
  if (typeof error !== 'object' || error === null || depth === 0) return undefined
  const own = ownCode(error)
  if (own !== undefined) return own
  if (error instanceof AggregateError && error.errors.length > 0) {
    const codes = error.errors.map(one => survivableCode(one, depth - 1))
    return codes.includes(undefined) ? undefined : codes[0]
  }
  return error instanceof Error ? survivableCode(error.cause, depth - 1) : undefined
}

export function isShortage(code: SurvivableCode): boolean {
  return SHORTAGES.has(code)
}

/** Node puts what `os` functions fail with into `info`, sometimes by its number alone. */
function ownCode(error: object): SurvivableCode | undefined {
  const { code, errno } = error as { readonly code?: unknown; readonly errno?: unknown }
  const named = SURVIVABLE.find(one => one === code)
  if (named !== undefined) return named
  if (code !== 'ERR_SYSTEM_ERROR') return undefined
  return SURVIVABLE.find(one => typeof errno === 'number' && errnos[one] === Math.abs(errno))
}
