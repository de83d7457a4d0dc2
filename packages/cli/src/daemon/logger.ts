import { type Logger, pino } from 'pino'
import { z } from 'zod'
import type { Output } from '../output/output.ts'
import { dim, green, joined, red, type Text, text, yellow } from '../output/text.ts'
import type { Settings } from '../settings/schema.ts'

const lineSchema = z.looseObject({ level: z.number(), time: z.number(), msg: z.string().optional() })

/** pino's numbers for its levels. */
const levelNames: Readonly<Record<number, Text>> = {
  10: dim('trace'),
  20: dim('debug'),
  30: green('info'),
  40: yellow('warn'),
  50: red('error'),
  60: red('fatal')
}

/** Structured lines for machines; for a person at a terminal, the same lines made readable. */
export function createLogger(level: Settings['logLevel'], out: Output): Logger {
  const base = { base: null, level }
  if (out.stream.isTTY) return pino(base, { write: line => out.print(readable(line)) })
  return pino(base, { write: line => out.jsonText(line) })
}

function readable(line: string): Text {
  const { level, time, msg = '', ...rest } = lineSchema.parse(JSON.parse(line))
  const clock = dim(new Date(time).toTimeString().slice(0, 8))
  const facts = Object.entries(rest).map(
    ([key, value]) => text`${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  )
  return text`${clock} ${levelNames[level] ?? level} ${msg} ${dim(joined(facts, ' '))}\n`
}
