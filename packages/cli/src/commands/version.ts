import type { CommandDefinition } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import { text } from '../output/text.ts'
import { version } from '../version.ts'

export const versionCommand: CommandDefinition = {
  name: 'version',
  summary: 'Prints the versions of resultity and of what it runs on.',
  settings: [],
  json: 'print them as one JSON object',
  examples: ['resultity version', 'resultity version --json'],
  async run({ json, context }) {
    const facts = { version, node: process.versions.node, platform: process.platform, architecture: process.arch }
    if (json) context.out.json(facts)
    else context.out.print(text`resultity ${version} (Node ${facts.node}, ${facts.platform}-${facts.architecture})\n`)
    return EXIT_OK
  }
}
