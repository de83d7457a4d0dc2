import pc from 'picocolors'
import { type Logger, pino } from 'pino'
import { z } from 'zod'
import type { Settings } from '../settings/schema.ts'

const lineSchema = z.looseObject({ level: z.number(), time: z.number(), msg: z.string().optional() })

/** pino's numbers for its levels. */
const levelNames: Readonly<Record<number, string>> = {
  10: pc.dim('trace'),
  20: pc.dim('debug'),
  30: pc.green('info'),
  40: pc.yellow('warn'),
  50: pc.red('error'),
  60: pc.red('fatal')
}

/** Structured lines for machines; for a person at a terminal, the same lines made readable. */
export function createLogger(level: Settings['logLevel'], out: NodeJS.WriteStream): Logger {
  const base = { base: null, level }
  if (!out.isTTY) return pino(base, out)
  return pino(base, { write: line => out.write(readable(line)) })
}

function readable(line: string): string {
  const { level, time, msg = '', ...rest } = lineSchema.parse(JSON.parse(line))
  const clock = pc.dim(new Date(time).toTimeString().slice(0, 8))
  const facts = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  )
  return `${clock} ${levelNames[level] ?? level} ${msg} ${pc.dim(facts.join(' '))}\n`
}
