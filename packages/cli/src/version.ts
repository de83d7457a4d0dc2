import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** This package's version. */
export const version = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL(import.meta.resolve('@resultity/cli/package.json')), 'utf8'))).version
