import { channelDialect } from './channel-dialect.ts'
import { functionGemmaDialect, gemmaDialect } from './gemma-dialect.ts'
import { hermesDialect } from './hermes-dialect.ts'
import { llamaDialect } from './llama-dialect.ts'
import { mistralDialect, mistralListDialect } from './mistral-dialect.ts'
import { pythonicDialects } from './pythonic-dialect.ts'
import type { ToolDialect } from './tool-dialect.ts'
import { xmlDialect } from './xml-dialect.ts'

/** The first that fits counts. The frame of a call says more than the call itself, so framed forms come first. */
const DIALECTS: readonly ToolDialect[] = [
  channelDialect,
  gemmaDialect,
  functionGemmaDialect,
  mistralDialect,
  mistralListDialect,
  xmlDialect,
  hermesDialect,
  ...pythonicDialects,
  llamaDialect
]

/**
 * How a family of models writes calls, recognised by how its chat template wrote one. Undefined where no dialect reads that.
 *
 * @param written what the template wrote of a call of `name`
 */
export function recogniseDialect(written: string, name: string): ToolDialect | undefined {
  return DIALECTS.find(dialect => dialect.writes(written, name))
}
