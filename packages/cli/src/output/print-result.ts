import type { CommandRun } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import type { Text } from './text.ts'

/** What a command found, as JSON where that was asked for, else as people read it. @returns the exit code */
export function printResult({ json, context }: CommandRun, value: unknown, readable: Text): number {
  if (json) context.out.json(value)
  else context.out.print(readable)
  return EXIT_OK
}
